import XCTest

/// `POST /v3/cursor`; docs/protocol.md, "Cursors".
final class CursorTests: ServerTestCase {
    private func cursor(_ database: TestDatabase, _ body: String) throws -> HTTPReply {
        try server.request(
            "POST", "/db/\(database.name)/v3/cursor", ["Content-Type: application/json"],
            body: Array(body.utf8))
    }

    private func body(_ baton: String?, _ steps: [String]) -> String {
        #"{"baton":\#(baton.map(JSONText.string) ?? "null"),"batch":{"steps":["#
            + steps.joined(separator: ",") + "]}}"
    }

    private func step(_ sql: String) -> String { #"{"stmt":\#(JSONText.statement(sql))}"# }

    private func lines(_ reply: HTTPReply) -> [String] {
        XCTAssertEqual(reply.status, 200, reply.text)
        XCTAssertEqual(reply["content-type"], "text/plain")
        XCTAssertTrue(reply.text.hasSuffix("}\n"))
        return reply.text.split(separator: "\n").map(String.init)
    }

    func testABatchLineByLine() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
        let reply = try cursor(
            database,
            body(
                nil,
                [
                    step("INSERT INTO t VALUES (7, 'a') RETURNING v"), step("nonsense"),
                    #"{"condition":{"type":"ok","step":1},"stmt":{"sql":"DELETE FROM t"}}"#,
                    step("SELECT id FROM t"),
                ]))
        XCTAssertEqual(
            lines(reply),
            [
                #"{"baton":null,"base_url":null}"#,
                #"{"type":"step_begin","step":0,"cols":[{"name":"v","decltype":"TEXT"}]}"#,
                #"{"type":"row","row":[{"type":"text","value":"a"}]}"#,
                #"{"type":"step_end","affected_row_count":1,"last_insert_rowid":"7"}"#,
                #"{"type":"step_error","step":1,"error":{"message":"near \"nonsense\": syntax"#
                    + #" error","code":"SQL_PARSE_ERROR"}}"#,
                #"{"type":"step_begin","step":3,"cols":[{"name":"id","decltype":"INTEGER"}]}"#,
                #"{"type":"row","row":[{"type":"integer","value":"7"}]}"#,
                #"{"type":"step_end","affected_row_count":0,"last_insert_rowid":null}"#,
            ])
    }

    func testOneStreamForCursorsAndPipelines() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        func baton(_ reply: HTTPReply) throws -> String {
            let first = HTTPReply(
                body: Array((lines(reply).first ?? "").utf8))
            return try XCTUnwrap(first.object["baton"] as? String, reply.text)
        }
        let begun = try cursor(
            database, body(nil, [step("BEGIN"), step("INSERT INTO t VALUES(1)")]))
        let piped = try database.pipeline(
            #"{"baton":"\#(try baton(begun))","requests":[{"type":"execute","stmt":{"sql":"#
                + #""INSERT INTO t VALUES(2)"}}]}"#)
        let next = try XCTUnwrap(piped.object["baton"] as? String)
        let read = try cursor(database, body(next, [step("SELECT count(*) FROM t")]))
        XCTAssertTrue(read.text.contains(#"{"type":"integer","value":"2"}"#), read.text)
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["0"]])
        assertFailure(try cursor(database, body(next, [step("COMMIT")])), 400, "STREAM_EXPIRED")
        XCTAssertEqual(
            lines(try cursor(database, body(try baton(read), [step("COMMIT")]))).first,
            #"{"baton":null,"base_url":null}"#)
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["2"]])
    }

    func testBodiesThatAreNone() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        for text in [
            "", "{}", "null", #"{"requests":[]}"#, #"{"batch":{"steps":1}}"#,
            body(nil, [#"{"stmt":{"sql":"DELETE FROM t"},"condition":{"type":"ok","step":0}}"#]),
            body(nil, [step("DELETE FROM t")]) + "x",
        ] {
            assertFailure(try cursor(database, text), 400, "malformed_pipeline", text)
        }
        assertFailure(try cursor(database, body("abc", [])), 400, "STREAM_EXPIRED")
        XCTAssertEqual(lines(try cursor(database, body(nil, []))).count, 1)
        let get = try server.request("GET", "/db/\(database.name)/v3/cursor")
        assertFailure(get, 405, "method_not_allowed")
    }
}
