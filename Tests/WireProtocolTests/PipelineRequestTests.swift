import Primitives
import TestSupport
import XCTest

@testable import WireProtocol

final class PipelineRequestTests: XCTestCase {
    private func decode(_ text: String) throws -> PipelineRequest {
        try PipelineRequest(decoding: Array(text.utf8))
    }

    private func decodeValue(_ text: String) throws -> SQLValue {
        let request = try decode(
            #"{"requests":[{"type":"execute","stmt":{"sql":"x","args":[\#(text)]}}]}"#)
        guard case .execute(let statement) = request.requests.first else {
            throw PipelineDecodingError.invalid("no statement")
        }
        return statement.arguments[0]
    }

    // MARK: What the client sends

    private static let lookup =
        "SELECT pull_gen, change_id FROM turso_sync_last_change_id WHERE client_id = ?"

    func testDecodesEveryRecordedPush() throws {
        let stepCounts: [String: [Int]] = [
            "push-composite-key": [1, 9], "push-ddl": [1, 10], "push-drop-table": [1, 5],
            "push-insert": [1, 5], "push-insert-into-dropped-table": [1, 7],
            "push-nothing": [1, 3], "push-threshold-2": [1, 6, 6, 5],
            "push-update-delete-replace": [1, 8], "push-values": [1, 9],
        ]
        XCTAssertEqual(try RecordedRequests.names(prefix: "push-"), stepCounts.keys.sorted())
        for (name, counts) in stepCounts {
            let batches = try RecordedRequests.bodies(name).map { try batch($0, name) }
            XCTAssertEqual(batches.map(\.steps.count), counts, name)
            XCTAssertEqual(batches[0].steps[0].statement.text.sql, Self.lookup, name)
            XCTAssertTrue(batches[0].steps[0].statement.wantsRows, name)
            for batch in batches.dropFirst() { assertIsPush(batch, name) }
        }
    }

    private func batch(_ body: [UInt8], _ name: String) throws -> Batch {
        let request = try PipelineRequest(decoding: body)
        XCTAssertNil(request.baton, name)
        guard request.requests.count == 1, case .batch(let batch) = request.requests[0] else {
            throw PipelineDecodingError.invalid("\(name): no batch")
        }
        return batch
    }

    private func assertIsPush(_ batch: Batch, _ name: String) {
        XCTAssertEqual(batch.steps.first?.statement.text.sql, "BEGIN IMMEDIATE", name)
        XCTAssertNil(batch.steps.first?.condition, name)
        XCTAssertEqual(batch.steps.last?.statement.text.sql, "COMMIT", name)
        for step in batch.steps.dropFirst() {
            XCTAssertEqual(step.condition, .not(.isAutocommit), name)
            XCTAssertNil(step.statement.text.sqlID, name)
            XCTAssertEqual(step.statement.namedArguments, [], name)
            XCTAssertFalse(step.statement.wantsRows, name)
        }
    }

    func testDecodesEveryRecordedValue() throws {
        let steps = try batch(RecordedRequests.bodies("push-values")[1], name).steps
        XCTAssertEqual(
            steps[3].statement.arguments,
            [.integer(1), .text("nul\0é💥\"\\"), .blob(Array(0...255)), .float(0.1)])
        XCTAssertEqual(
            steps[4].statement.arguments, [.integer(.max), .null, .blob([]), .float(-0.0)])
        guard case .float(let zero) = steps[4].statement.arguments[3] else { return XCTFail() }
        XCTAssertEqual(zero.sign, .minus)
        XCTAssertEqual(
            steps[5].statement.arguments, [.integer(.min), .text(""), .blob([255]), .float(1e300)])
        XCTAssertEqual(
            steps[6].statement.arguments, [.integer(2), .text("two"), .integer(1), .null])
        XCTAssertEqual(
            steps[3].statement.text.sql,
            #"INSERT INTO "n"("a", "b", "c", "d") VALUES (?,?,?,?)"#)
    }

    // MARK: Shapes

    func testDecodesEveryKindOfRequest() throws {
        let request = try decode(
            #"""
            {"baton":"b1","extra":[1,{"a":2}],"requests":[
                {"type":"execute","stmt":{"sql":"a"},"extra":null},
                {"type":"batch","batch":{"steps":[]}},
                {"type":"sequence","sql":"b;c"},
                {"type":"sequence","sql_id":3},
                {"type":"describe","sql":null,"sql_id":-4},
                {"type":"store_sql","sql_id":5,"sql":"d"},
                {"type":"close_sql","sql_id":5},
                {"type":"get_autocommit"},
                {"type":"close"},
                {"type":"made_up","stmt":7}
            ]}
            """#)
        XCTAssertEqual(request.baton, "b1")
        XCTAssertEqual(
            request.requests,
            [
                .execute(Statement(text: SQLText(sql: "a"))), .batch(Batch(steps: [])),
                .sequence(SQLText(sql: "b;c")), .sequence(SQLText(sqlID: 3)),
                .describe(SQLText(sqlID: -4)), .storeSQL(id: 5, sql: "d"), .closeSQL(id: 5),
                .getAutocommit, .close, .unknown(type: "made_up"),
            ])
    }

    func testDecodesStatements() throws {
        let rows: [(String, Statement)] = [
            (#"{"sql":"a"}"#, Statement(text: SQLText(sql: "a"))),
            (
                #"{"sql":null,"sql_id":1,"args":null,"named_args":null,"want_rows":null}"#,
                Statement(text: SQLText(sqlID: 1))
            ),
            // Neither and both are for whoever carries the statement out.
            ("{}", Statement(text: SQLText())),
            (#"{"sql":"a","sql_id":1}"#, Statement(text: SQLText(sql: "a", sqlID: 1))),
            (
                #"{"sql":"a","want_rows":false}"#,
                Statement(text: SQLText(sql: "a"), wantsRows: false)
            ),
            (
                #"{"sql":"a\u0000","named_args":[{"name":":x","value":{"type":"null"}}]}"#,
                Statement(
                    text: SQLText(sql: "a\0"),
                    namedArguments: [Statement.NamedArgument(name: ":x", value: .null)])
            ),
        ]
        for (text, statement) in rows {
            let request = try decode(#"{"requests":[{"type":"execute","stmt":\#(text)}]}"#)
            XCTAssertEqual(request.requests, [.execute(statement)], text)
        }
    }

    func testDecodesConditions() throws {
        let rows: [(String, BatchCondition?)] = [
            ("null", nil), (#"{"type":"ok","step":0}"#, .ok(step: 0)),
            (#"{"type":"error","step":1}"#, .error(step: 1)),
            (#"{"type":"is_autocommit"}"#, .isAutocommit),
            (#"{"type":"not","cond":{"type":"is_autocommit"}}"#, .not(.isAutocommit)),
            (#"{"type":"not","cond":{"type":"ok","step":1}}"#, .not(.ok(step: 1))),
            (#"{"type":"and","conds":[]}"#, .and([])),
            (
                #"{"type":"or","conds":[{"type":"ok","step":0},"#
                    + #"{"type":"and","conds":[{"type":"error","step":1}]}]}"#,
                .or([.ok(step: 0), .and([.error(step: 1)])])
            ),
        ]
        for (text, condition) in rows {
            let stepTexts = [
                #"{"stmt":{"sql":"a"}}"#, #"{"stmt":{"sql":"a"}}"#,
                #"{"condition":\#(text),"stmt":{"sql":"a"}}"#,
            ]
            let steps = stepTexts.joined(separator: ",")
            let request = try decode(
                #"{"requests":[{"type":"batch","batch":{"steps":[\#(steps)]}}]}"#)
            guard case .batch(let batch) = request.requests[0] else { return XCTFail() }
            XCTAssertEqual(batch.steps[2].condition, condition, text)
        }
    }

    func testDecodesValues() throws {
        let rows: [(String, SQLValue)] = [
            (#"{"type":"null"}"#, .null), (#"{"type":"integer","value":"0"}"#, .integer(0)),
            (#"{"type":"integer","value":"-0"}"#, .integer(0)),
            (#"{"type":"integer","value":"007"}"#, .integer(7)),
            (#"{"type":"integer","value":"9223372036854775807"}"#, .integer(.max)),
            (#"{"type":"integer","value":"-9223372036854775808"}"#, .integer(.min)),
            (#"{"type":"integer","value":-12}"#, .integer(-12)),
            (#"{"type":"integer","value":9223372036854775807}"#, .integer(.max)),
            (#"{"type":"integer","value":1e3}"#, .integer(1000)),
            (#"{"type":"float","value":1}"#, .float(1)),
            (#"{"type":"float","value":18446744073709551615}"#, .float(0x1p64)),
            (#"{"type":"float","value":null}"#, .null),
            (#"{"type":"text","value":"\u0000"}"#, .text("\0")),
            (#"{"type":"blob","base64":"AP/+"}"#, .blob([0, 255, 254])),
            (#"{"type":"blob","base64":"/w=="}"#, .blob([255])),
            (#"{"type":"blob","base64":"\/w"}"#, .blob([255])),
            (#"{"value":"x","type":"text","more":1}"#, .text("x")),
        ]
        for (text, value) in rows { XCTAssertEqual(try decodeValue(text), value, text) }
    }

    // MARK: Hostile input

    func testRefusesBadValues() {
        let place = "requests[0].stmt.args[0]"
        let rows: [(String, String)] = [
            ("1", place), (#""x""#, place), ("null", place), ("{}", place),
            (#"{"type":null}"#, place), (#"{"type":"INTEGER","value":"1"}"#, place),
            (#"{"type":"integer"}"#, place), (#"{"type":"integer","value":null}"#, place),
            (#"{"type":"float"}"#, place), (#"{"type":"text"}"#, place),
            (#"{"type":"blob","value":"AA"}"#, place),
            (#"{"type":"integer","value":""}"#, place + ".value"),
            (#"{"type":"integer","value":"-"}"#, place + ".value"),
            (#"{"type":"integer","value":"+1"}"#, place + ".value"),
            (#"{"type":"integer","value":" 1"}"#, place + ".value"),
            (#"{"type":"integer","value":"1.0"}"#, place + ".value"),
            (#"{"type":"integer","value":"0x1"}"#, place + ".value"),
            (#"{"type":"integer","value":"1\u0000"}"#, place + ".value"),
            (#"{"type":"integer","value":"9223372036854775808"}"#, place + ".value"),
            (#"{"type":"integer","value":"-9223372036854775809"}"#, place + ".value"),
            (#"{"type":"integer","value":"99999999999999999999999"}"#, place + ".value"),
            (#"{"type":"integer","value":1.5}"#, place + ".value"),
            (#"{"type":"integer","value":9223372036854775808}"#, place + ".value"),
            (#"{"type":"integer","value":1e19}"#, place + ".value"),
            (#"{"type":"integer","value":true}"#, place + ".value"),
            (#"{"type":"float","value":"1.5"}"#, place + ".value"),
            (#"{"type":"text","value":1}"#, place + ".value"),
            (#"{"type":"blob","base64":"A"}"#, place + ".base64"),
            (#"{"type":"blob","base64":"A-_A"}"#, place + ".base64"),
            (#"{"type":"blob","base64":[0]}"#, place + ".base64"),
        ]
        for (text, expected) in rows {
            XCTAssertThrowsError(try decodeValue(text), text) { error in
                guard case .invalid(let place, _) = error as? PipelineDecodingError else {
                    return XCTFail("\(text): \(error)")
                }
                XCTAssertEqual(place, expected, text)
            }
        }
    }

    func testRefusesBadShapesAndNamesThePlace() {
        let steps = "requests[0].batch.steps"
        func inBatch(_ steps: String) -> String {
            #"{"requests":[{"type":"batch","batch":{"steps":\#(steps)}}]}"#
        }
        func condition(_ condition: String) -> String {
            inBatch(#"[{"stmt":{"sql":"a"}},{"condition":\#(condition),"stmt":{"sql":"a"}}]"#)
        }
        let rows: [(json: String, place: String)] = [
            ("1", ""), ("[]", ""), ("null", ""), ("{}", ""), (#"{"requests":null}"#, ""),
            (#"{"requests":{}}"#, "requests"), (#"{"requests":1}"#, "requests"),
            (#"{"baton":1,"requests":[]}"#, "baton"), (#"{"requests":[1]}"#, "requests[0]"),
            (#"{"requests":[{}]}"#, "requests[0]"),
            (#"{"requests":[{"type":"close"},{"type":1}]}"#, "requests[1].type"),
            (#"{"requests":[{"type":"execute"}]}"#, "requests[0]"),
            (#"{"requests":[{"type":"execute","stmt":[]}]}"#, "requests[0].stmt"),
            (#"{"requests":[{"type":"execute","stmt":{"sql":1}}]}"#, "requests[0].stmt.sql"),
            (#"{"requests":[{"type":"execute","stmt":{"args":{}}}]}"#, "requests[0].stmt.args"),
            (
                #"{"requests":[{"type":"execute","stmt":{"want_rows":1}}]}"#,
                "requests[0].stmt.want_rows"
            ),
            (
                #"{"requests":[{"type":"execute","stmt":{"named_args":[{"name":"a"}]}}]}"#,
                "requests[0].stmt.named_args[0]"
            ),
            (
                #"{"requests":[{"type":"execute","stmt":{"named_args":[{"name":1}]}}]}"#,
                "requests[0].stmt.named_args[0].name"
            ),
            (#"{"requests":[{"type":"sequence","sql_id":2147483648}]}"#, "requests[0].sql_id"),
            (#"{"requests":[{"type":"sequence","sql_id":1.0}]}"#, "requests[0].sql_id"),
            (#"{"requests":[{"type":"store_sql","sql":"a"}]}"#, "requests[0]"),
            (#"{"requests":[{"type":"store_sql","sql_id":1}]}"#, "requests[0]"),
            (#"{"requests":[{"type":"close_sql"}]}"#, "requests[0]"),
            (#"{"requests":[{"type":"batch"}]}"#, "requests[0]"),
            (#"{"requests":[{"type":"batch","batch":{}}]}"#, "requests[0].batch"),
            (inBatch("{}"), steps), (inBatch("[1]"), steps + "[0]"),
            (inBatch("[{}]"), steps + "[0]"),
            (condition("1"), steps + "[1].condition"), (condition("{}"), steps + "[1].condition"),
            (condition(#"{"type":"xor"}"#), steps + "[1].condition"),
            (condition(#"{"type":"not"}"#), steps + "[1].condition"),
            (condition(#"{"type":"and"}"#), steps + "[1].condition"),
            (condition(#"{"type":"ok"}"#), steps + "[1].condition"),
            (condition(#"{"type":"ok","step":1}"#), steps + "[1].condition.step"),
            (condition(#"{"type":"ok","step":-1}"#), steps + "[1].condition.step"),
            (condition(#"{"type":"error","step":0.0}"#), steps + "[1].condition.step"),
            (condition(#"{"type":"error","step":"0"}"#), steps + "[1].condition.step"),
            (
                condition(#"{"type":"or","conds":[{"type":"not","cond":{"type":"ok","step":7}}]}"#),
                steps + "[1].condition.conds[0].cond.step"
            ),
        ]
        for row in rows {
            XCTAssertThrowsError(try decode(row.json), row.json) { error in
                guard case .invalid(let place, _) = error as? PipelineDecodingError else {
                    return XCTFail("\(row.json): \(error)")
                }
                XCTAssertEqual(place, row.place, row.json)
            }
        }
    }

    func testErrorsReadWellAndNeverEchoContent() {
        let secret = "SECRET"
        func withStatement(_ statement: String) -> String {
            #"{"requests":[{"type":"execute","stmt":\#(statement)}]}"#
        }
        for text in [
            withStatement(#"{"sql":"\#(secret)","args":[{"type":"\#(secret)"}]}"#),
            withStatement(#"{"args":[{"type":"integer","value":"\#(secret)"}]}"#),
            withStatement(#"{"args":[{"type":"blob","base64":"\#(secret)-"}]}"#),
            #"{"requests":"\#(secret)"}"#, #"{"requests" \#(secret)}"#,
        ] {
            XCTAssertThrowsError(try decode(text)) { XCTAssertFalse("\($0)".contains(secret)) }
        }
        XCTAssertThrowsError(
            try decode(#"{"requests":[{"type":"execute","stmt":{"args":[{"type":"null"},7]}}]}"#)
        ) { XCTAssertEqual("\($0)", "requests[0].stmt.args[1]: expected an object") }
    }

    func testRefusesWhatIsNotJSON() {
        XCTAssertThrowsError(try PipelineRequest(decoding: [])) {
            guard case .notJSON(.malformed) = $0 as? PipelineDecodingError else {
                return XCTFail("\($0)")
            }
        }
        let deep =
            String(repeating: #"{"type":"not","cond":"#, count: 1000)
            + "null" + String(repeating: "}", count: 1000)
        XCTAssertThrowsError(try decode(#"{"requests":[{"condition":"# + deep + "}]}")) {
            XCTAssertEqual(
                $0 as? PipelineDecodingError,
                .notJSON(.tooDeep(limit: JSONDocument.defaultMaximumDepth)))
        }
    }

    func testMutationsDecodeOrThrow() throws {
        var generator = SeededGenerator.announced(for: name)
        let bodies = try RecordedRequests.names(prefix: "push-").flatMap(RecordedRequests.bodies)
        var decodedCount = 0
        for _ in 0..<5000 {
            let body = bodies[Int.random(in: 0..<bodies.count, using: &generator)]
            if (try? PipelineRequest(decoding: generator.mutate(body))) != nil {
                decodedCount += 1
            }
        }
        XCTAssertGreaterThan(decodedCount, 0)
    }
}
