import XCTest

/// Values on their way in and out of SQL; docs/protocol.md, "Values".
final class ValueTests: ServerTestCase {
    /// The rows of an answer as they are on the wire.
    private func rows(_ database: TestDatabase, _ sql: String, _ argument: String) throws -> String {
        let reply = try database.pipeline(
            #"{"requests":[{"type":"execute","stmt":{"sql":"\#(sql)","args":[\#(argument)]}}]}"#)
        XCTAssertEqual(reply.status, 200, "\(argument) \(reply.text)")
        let text = reply.text
        guard let start = text.range(of: #""rows":"#), let end = text.range(of: #","affected_"#)
        else { return text }
        return String(text[start.upperBound..<end.lowerBound])
    }

    func testValuesComeBackAsTheyWereSent() throws {
        let database = try makeDatabase()
        let same = [
            #"{"type":"null"}"#,
            #"{"type":"integer","value":"0"}"#,
            #"{"type":"integer","value":"-1"}"#,
            #"{"type":"integer","value":"9223372036854775807"}"#,
            #"{"type":"integer","value":"-9223372036854775808"}"#,
            #"{"type":"integer","value":"9007199254740993"}"#,
            #"{"type":"float","value":0.1}"#,
            #"{"type":"float","value":3.0}"#,
            #"{"type":"float","value":-0.0}"#,
            #"{"type":"float","value":5e-324}"#,
            #"{"type":"float","value":1.7976931348623157e+308}"#,
            #"{"type":"text","value":""}"#,
            #"{"type":"text","value":"a/b\"c\\d\n\t\r\u0001"}"#,
            #"{"type":"text","value":"before\u0000after\u0000"}"#,
            #"{"type":"text","value":"grüße 你好 💥"}"#,
            #"{"type":"blob","base64":""}"#,
            #"{"type":"blob","base64":"/w"}"#,
            #"{"type":"blob","base64":"//4"}"#,
            #"{"type":"blob","base64":"//79"}"#,
            #"{"type":"blob","base64":"+/+/"}"#,
        ]
        for value in same {
            XCTAssertEqual(try rows(database, "SELECT ?", value), "[[\(value)]]")
        }
    }

    func testWhatIsAcceptedInAnotherForm() throws {
        let database = try makeDatabase()
        let table: [(String, String)] = [
            // Numbers that are not finite travel as null.
            (#"{"type":"float","value":null}"#, #"{"type":"null"}"#),
            (#"{"type":"float","value":3}"#, #"{"type":"float","value":3.0}"#),
            (#"{"type":"integer","value":5}"#, #"{"type":"integer","value":"5"}"#),
            (#"{"type":"integer","value":"007"}"#, #"{"type":"integer","value":"7"}"#),
            (#"{"type":"blob","base64":"/w=="}"#, #"{"type":"blob","base64":"/w"}"#),
            (#"{"type":"text","value":"\/\u00e9\ud83d\udca5"}"#, #"{"type":"text","value":"/é💥"}"#),
        ]
        for (sent, received) in table {
            XCTAssertEqual(try rows(database, "SELECT ?", sent), "[[\(received)]]", sent)
        }
    }

    func testWhatSQLiteMakesComesOutInValidForms() throws {
        let database = try makeDatabase()
        let table: [(String, String)] = [
            ("9e999", #"{"type":"float","value":null}"#),
            ("-9e999", #"{"type":"float","value":null}"#),
            ("CAST(x'ff61' AS TEXT)", "{\"type\":\"text\",\"value\":\"\u{FFFD}a\"}"),
            ("zeroblob(4)", #"{"type":"blob","base64":"AAAAAA"}"#),
            ("x'00ff10'", #"{"type":"blob","base64":"AP8Q"}"#),
            ("1.0", #"{"type":"float","value":1.0}"#),
            ("1 = 1", #"{"type":"integer","value":"1"}"#),
        ]
        for (expression, value) in table {
            XCTAssertEqual(
                try rows(database, "SELECT \(expression)", ""), "[[\(value)]]", expression)
        }
    }

    func testArgumentsArePositionalOrNamed() throws {
        let database = try makeDatabase()
        func value(_ text: String) -> String { #"{"type":"text","value":"\#(text)"}"# }
        func named(_ name: String, _ text: String) -> String {
            #"{"name":"\#(name)","value":\#(value(text))}"#
        }
        let table: [(sql: String, args: [String], named: [String], expected: [String])] = [
            ("SELECT ?, ?", [value("a"), value("b")], [], ["a", "b"]),
            ("SELECT ?2, ?1", [value("a"), value("b")], [], ["b", "a"]),
            ("SELECT :x, @x, $x", [], [named("x", "a")], ["a", "a", "a"]),
            ("SELECT :x, @x", [], [named(":x", "a"), named("@x", "b")], ["a", "b"]),
            ("SELECT ?1", [], [named("?1", "a")], ["a"]),
            ("SELECT ?, :x", [value("a")], [named("x", "b")], ["a", "b"]),
        ]
        for row in table {
            let reply = try database.pipeline(
                #"{"requests":[{"type":"execute","stmt":{"sql":"\#(row.sql)","args":[\#(row.args.joined(separator: ","))],"named_args":[\#(row.named.joined(separator: ","))]}}]}"#
            )
            XCTAssertEqual(SQLResult(reply).rows, [row.expected], "\(row.sql) \(reply.text)")
        }
    }

    /// 20,000 rows are one body of megabytes.
    func testALargeBatchIsNotSlow() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        let steps = (1...20_000).map { id in
            #"{"condition":{"type":"not","cond":{"type":"is_autocommit"}},"stmt":{"sql":"INSERT INTO t VALUES(?,?)","args":[{"type":"integer","value":"\#(id)"},{"type":"text","value":"row \#(id)"}],"want_rows":false}}"#
        }
        let start = ContinuousClock.now
        let reply = try database.pipeline(
            #"{"requests":[{"type":"batch","batch":{"steps":[{"stmt":{"sql":"BEGIN IMMEDIATE"}},\#(steps.joined(separator: ",")),{"stmt":{"sql":"COMMIT"}}]}}]}"#
        )
        XCTAssertEqual(reply.status, 200)
        XCTAssertLessThan(ContinuousClock.now - start, .seconds(20))
        XCTAssertEqual(try database.sql("SELECT count(*), max(id) FROM t").rows, [["20000", "20000"]])
    }
}
