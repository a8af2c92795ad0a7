import Primitives
import XCTest

@testable import WireProtocol

/// Fields of statements, steps and values in any order, more than once, unknown and of wrong kinds.
final class PipelineFieldTests: XCTestCase {
    private func step(_ text: String) throws -> Batch.Step? {
        let body = #"{"requests":[{"type":"batch","batch":{"steps":[\#(text)]}}]}"#
        let request = try PipelineRequest(decoding: Array(body.utf8))
        guard case .batch(let batch)? = request.requests.first else { return nil }
        return batch.steps.first
    }

    private func value(_ text: String) throws -> SQLValue? {
        try step(#"{"stmt":{"sql":"x","args":[\#(text)]}}"#)?.statement.arguments.first
    }

    private func message(_ text: String) -> String? {
        do {
            _ = try step(text)
            return nil
        } catch {
            return String(describing: error)
        }
    }

    func testTheOrderOfFieldsIsOfNoMeaning() throws {
        let expected = Batch.Step(
            condition: .not(.isAutocommit),
            statement: Statement(
                text: SQLText(sql: "x"), arguments: [.integer(-1), .text("a")],
                namedArguments: [.init(name: ":n", value: .blob([255]))], wantsRows: false))
        let one = #"""
            {"condition":{"type":"not","cond":{"type":"is_autocommit"}},"stmt":{"sql":"x",
            "sql_id":null,"args":[{"type":"integer","value":"-1"},{"type":"text","value":"a"}],
            "named_args":[{"name":":n","value":{"type":"blob","base64":"/w"}}],"want_rows":false}}
            """#
        let other = #"""
            {"stmt":{"want_rows":false,"named_args":[{"value":{"base64":"/w==","type":"blob"},
            "name":":n"}],"args":[{"value":"-1","type":"integer"},{"value":"a","type":"text"}],
            "replication_index":7,"sql":"x"},"condition":{"cond":{"type":"is_autocommit"},
            "type":"not"}}
            """#
        XCTAssertEqual(try step(one), expected)
        XCTAssertEqual(try step(other), expected)
    }

    func testTheFirstOfEqualFieldsCountsEvenIfItIsNull() throws {
        XCTAssertEqual(
            try step(#"{"stmt":{"sql":"a","sql":"b","args":[],"args":7}}"#)?.statement,
            Statement(text: SQLText(sql: "a")))
        XCTAssertEqual(
            try step(#"{"stmt":{"sql":null,"sql":"b","want_rows":null,"want_rows":false}}"#)?
                .statement, Statement(text: SQLText()))
        XCTAssertEqual(
            try step(
                #"{"condition":null,"condition":{"type":"is_autocommit"},"stmt":{"sql":"a"}}"#),
            Batch.Step(statement: Statement(text: SQLText(sql: "a"))))
        XCTAssertEqual(
            try value(#"{"type":"text","type":"integer","value":"1","value":2}"#), .text("1"))
        XCTAssertEqual(try value(#"{"type":"float","value":null,"value":1.5}"#), .null)
        XCTAssertThrowsError(try value(#"{"type":"text","value":null,"value":"a"}"#))
        XCTAssertThrowsError(try value(#"{"type":null,"type":"null"}"#))
        XCTAssertThrowsError(try step(#"{"stmt":null,"stmt":{"sql":"a"}}"#))
    }

    func testConditionsTakeTheirFieldsInAnyOrderAndTheFirstOfEqualOnes() throws {
        for (text, expected) in [
            (#"{"cond":{"type":"is_autocommit"},"x":[],"type":"not"}"#, .not(.isAutocommit)),
            (
                #"{"type":"not","type":"or","cond":{"conds":[],"type":"and"},"cond":7}"#,
                .not(.and([]))
            ),
            (#"{"cond":7,"type":"is_autocommit"}"#, .isAutocommit),
        ] as [(String, BatchCondition)] {
            let step = try step(#"{"condition":\#(text),"stmt":{"sql":"a"}}"#)
            XCTAssertEqual(step?.condition, expected, text)
        }
        for text in [
            #"{"type":null,"type":"is_autocommit"}"#, #"{"type":"not","cond":null,"cond":{}}"#,
            #"{"type":"not"}"#, #"{"type":"not","cond":[]}"#, #"{"type":7}"#, "{}", "7", "[]",
        ] {
            XCTAssertThrowsError(try step(#"{"condition":\#(text),"stmt":{"sql":"a"}}"#), text)
        }
    }

    func testNamesAreComparedWithoutTheirEscapesAndAsAWhole() throws {
        XCTAssertEqual(
            try step(#"{"st\u006dt":{"\u0073ql":"a"}}"#)?.statement.text, SQLText(sql: "a"))
        XCTAssertEqual(
            try step(
                #"{"stmt":{"sq":1,"sqll":2,"SQL":3,"":4,"sql\u0000":5,"args_":6,"sql_id":8}}"#)?
                .statement, Statement(text: SQLText(sqlID: 8)))
        XCTAssertThrowsError(try value(#"{"typ":"null","Type":"null","type ":"null"}"#))
    }

    func testUnknownFieldsMayHoldAnything() throws {
        let deep = #"[{"sql":"b","args":[{"type":1}]},[[]],"stmt"]"#
        XCTAssertEqual(
            try step(#"{"x":\#(deep),"stmt":{"y":\#(deep),"sql":"a","z":\#(deep)},"w":\#(deep)}"#),
            Batch.Step(statement: Statement(text: SQLText(sql: "a"))))
        XCTAssertEqual(
            try value(#"{"x":\#(deep),"value":\#(deep),"base64":\#(deep),"type":"null"}"#), .null)
    }

    func testWrongKindsAreRefusedWithTheirPlace() {
        let place = "requests[0].batch.steps[0]"
        for (text, expected) in [
            ("7", "\(place)"), ("[]", "\(place)"), (#""stmt""#, "\(place)"), ("null", "\(place)"),
            ("{}", #"the field "stmt" is missing"#),
            (#"{"stmt":7}"#, "\(place).stmt"), (#"{"stmt":[]}"#, "\(place).stmt"),
            (#"{"stmt":{"sql":7}}"#, "\(place).stmt.sql"),
            (#"{"stmt":{"sql_id":"7"}}"#, "\(place).stmt.sql_id"),
            (#"{"stmt":{"args":{}}}"#, "\(place).stmt.args"),
            (#"{"stmt":{"args":[{"type":"null"},7]}}"#, "\(place).stmt.args[1]"),
            (#"{"stmt":{"args":[{"type":"text","value":1}]}}"#, "\(place).stmt.args[0].value"),
            (#"{"stmt":{"args":[{"type":"blob","base64":1}]}}"#, "\(place).stmt.args[0].base64"),
            (#"{"stmt":{"named_args":[7]}}"#, "\(place).stmt.named_args[0]"),
            (#"{"stmt":{"want_rows":1}}"#, "\(place).stmt.want_rows"),
            (#"{"condition":7,"stmt":{}}"#, "\(place).condition"),
        ] {
            let found = message(text)
            XCTAssertTrue(found?.contains(expected) == true, "\(text): \(found ?? "no error")")
        }
    }
}
