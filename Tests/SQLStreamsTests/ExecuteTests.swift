import Foundation
import Primitives
import WireProtocol
import XCTest

@testable import SQLStreams

final class ExecuteTests: XCTestCase {
    func testResults() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)")
        // (SQL, rows, affected_row_count, last_insert_rowid)
        let rows: [(String, [String], Int, String?)] = [
            ("INSERT INTO t VALUES (7, 'x'), (9, 'y')", [], 2, "9"),
            ("SELECT * FROM t", ["7|x", "9|y"], 0, nil),
            ("UPDATE t SET b = 'z'", [], 2, nil),
            ("INSERT INTO t(b) VALUES ('n') RETURNING a, b", ["10|n"], 1, "10"),
            ("WITH x AS (SELECT 11 i) INSERT INTO t SELECT i, 'w' FROM x", [], 1, "11"),
            ("REPLACE INTO t VALUES (7, 'r')", [], 1, "7"),
            ("INSERT OR IGNORE INTO t VALUES (7, 'q')", [], 0, "0"),
            ("DELETE FROM t WHERE a > 8", [], 3, nil),
            ("CREATE TABLE u AS SELECT * FROM t", [], 0, nil),
            ("EXPLAIN QUERY PLAN DELETE FROM t", ["2|0|0|SCAN t"], 0, nil),
            ("PRAGMA user_version", ["0"], 0, nil),
            ("SELECT sum(value) FROM generate_series(1, 4)", ["10"], 0, nil),
            (" ; SELECT 1 ; -- end", ["1"], 0, nil),
            ("VACUUM", [], 0, nil),
            ("SELECT count(*) FROM u", ["1"], 0, nil),
        ]
        for (sql, expected, affected, rowID) in rows {
            let result = try fixture.execute(sql)
            XCTAssertNil(result.message, sql)
            if !sql.hasPrefix("EXPLAIN") { XCTAssertEqual(result.rows, expected, sql) }
            XCTAssertEqual(result.result?["affected_row_count"] as? Int, affected, sql)
            XCTAssertEqual(result.result?["last_insert_rowid"] as? String, rowID, sql)
        }
    }

    func testErrors() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)")
        let rows: [(sql: String, code: String, message: String)] = [
            ("", "SQL_NO_STATEMENT", "SQL string does not contain any statement"),
            (" -- x\n/* ; */ ;", "SQL_NO_STATEMENT", "SQL string does not contain any statement"),
            (
                "SELECT 1; SELECT 2", "SQL_MANY_STATEMENTS",
                "SQL string contains more than one statement"
            ),
            (
                "SELECT 1; garbage", "SQL_MANY_STATEMENTS",
                "SQL string contains more than one statement"
            ),
            ("SELEC 1", "SQL_PARSE_ERROR", "near \"SELEC\": syntax error"),
            ("SELECT (1", "SQL_PARSE_ERROR", "incomplete input"),
            ("SELECT 'a", "SQL_PARSE_ERROR", "unrecognized token: \"'a\""),
            ("SELECT 1\0; DROP TABLE t", "SQL_PARSE_ERROR", "SQL string contains a NUL character"),
            ("SELECT * FROM missing", "SQLITE_ERROR", "no such table: missing"),
            (
                "INSERT INTO t VALUES (1)", "SQLITE_CONSTRAINT_UNIQUE",
                "UNIQUE constraint failed: t.a"
            ),
            ("COMMIT", "SQLITE_ERROR", "cannot commit - no transaction is active"),
        ]
        for row in rows {
            let result = try fixture.execute(row.sql)
            XCTAssertEqual(result.code, row.code, row.sql)
            XCTAssertEqual(result.message, row.message, row.sql)
        }
    }

    func testArguments() throws {
        let fixture = try SQLFixture()
        let one = SQLValue.integer(1)
        let two = SQLValue.integer(2)
        // (SQL, positional, named, the row or nil for ARGS_INVALID)
        let rows: [(String, [SQLValue], [(String, SQLValue)], String?)] = [
            ("SELECT ?", [one], [], "1"),
            ("SELECT ?", [], [], nil),
            ("SELECT ?", [one, two], [], nil),
            ("SELECT 1", [one], [], nil),
            ("SELECT ?, ?", [one], [], nil),
            ("SELECT ?2, ?1", [one, two], [], "2|1"),
            ("SELECT :a", [], [("a", one)], "1"),
            ("SELECT :a", [], [(":a", one)], "1"),
            ("SELECT @a", [], [("a", one)], "1"),
            ("SELECT $a", [], [("a", one)], "1"),
            ("SELECT $a", [], [("@a", one)], nil),
            ("SELECT :a, @a, $a", [], [("a", one)], "1|1|1"),
            ("SELECT :a, @a", [], [(":a", one), ("@a", two)], "1|2"),
            ("SELECT :a, ?1", [], [("a", one)], "1|1"),
            ("SELECT ?1", [], [("?1", one)], "1"),
            ("SELECT ?1", [], [("1", one)], nil),
            ("SELECT :a", [], [("b", one)], nil),
            ("SELECT :a", [], [("a", one), ("b", one)], nil),
            ("SELECT :a, :b", [], [("a", one)], nil),
            ("SELECT :a, :b", [one], [("b", two)], "1|2"),
            ("SELECT :a", [one], [("a", two)], "2"),
            ("SELECT :a", [one], [], "1"),
            ("SELECT ?9", [], [("?9", one)], "1"),
            ("SELECT ?3", [one, two, one], [], "1"),
            (
                "SELECT typeof(?), typeof(?), typeof(?)", [.null, .text("a\0"), .blob([])],
                [], "null|text|blob"
            ),
        ]
        for (sql, positional, named, expected) in rows {
            let result = try fixture.execute(sql, positional, named: named)
            if let expected {
                XCTAssertEqual(result.rows, [expected], sql)
            } else {
                XCTAssertEqual(result.code, "ARGS_INVALID", sql)
            }
        }
    }

    func testTheWireShapeOfValues() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a INTEGER, b)")
        let outcome = fixture.outcome([
            .execute(
                .sql(
                    "SELECT a, ?, ?, ?, ?, 1e999 FROM (SELECT NULL a)",
                    [.integer(.min), .float(0.5), .text("a/\u{0}"), .blob([255, 0])]))
        ])
        let body = String(decoding: try outcome.body.get(), as: UTF8.self)
        XCTAssertTrue(
            body.contains(
                #""rows":[[{"type":"null"},{"type":"integer","value":"-9223372036854775808"},"#
                    + #"{"type":"float","value":0.5},{"type":"text","value":"a/\u0000"},"#
                    + #"{"type":"blob","base64":"/wA"},{"type":"float","value":null}]]"#), body)
        let columns = try fixture.execute("SELECT a, b, a + 1 AS s FROM t").result?["cols"]
        XCTAssertEqual(
            (columns as? [[String: Any]])?.map {
                "\($0["name"]!) \($0["decltype"] as? String ?? "-")"
            },
            ["a INTEGER", "b -", "s -"])
    }

    func testRowsThatAreNotWanted() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        let result = try fixture.execute(
            "INSERT INTO t VALUES (1), (2) RETURNING a", wantsRows: false)
        XCTAssertEqual(result.rows, [])
        XCTAssertEqual(result.result?["affected_row_count"] as? Int, 2)
    }

    func testStoredSQL() throws {
        let fixture = try SQLFixture()
        fixture.options.limits.storedSQLCount = 2
        func byID(_ id: Int32) -> StreamRequest {
            .execute(WireProtocol.Statement(text: SQLText(sqlID: id)))
        }
        let results = try fixture.run([
            .storeSQL(id: 1, sql: "SELECT 'one'"), byID(1), byID(2),
            .storeSQL(id: 1, sql: "SELECT 2"), .storeSQL(id: -5, sql: "SELECT 'five'"),
            .storeSQL(id: 3, sql: "SELECT 3"), .closeSQL(id: 1), .closeSQL(id: 99), byID(1),
            byID(-5), .describe(SQLText(sqlID: -5)), .sequence(SQLText(sqlID: -5)),
            .execute(WireProtocol.Statement(text: SQLText(sql: "SELECT 1", sqlID: 1))),
            .execute(WireProtocol.Statement(text: SQLText())),
        ])
        XCTAssertEqual(
            results.map { $0.code ?? $0.rows?.first ?? ($0.response?["type"] as? String) ?? "?" },
            [
                "store_sql", "one", "SQL_ID_NOT_FOUND", "SQL_ID_EXISTS", "store_sql",
                "SQL_STORE_TOO_MANY", "close_sql", "close_sql", "SQL_ID_NOT_FOUND", "five",
                "describe", "sequence", "SQL_MANY_STATEMENTS", "SQL_NO_STATEMENT",
            ])
    }

    func testSequence() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE)")
        let results = try fixture.run([
            .sequence(SQLText(sql: "")),
            .sequence(SQLText(sql: "INSERT INTO t VALUES (1); SELECT * FROM t; -- end")),
            .sequence(
                SQLText(
                    sql: "INSERT INTO t VALUES (2); INSERT INTO t VALUES (1);"
                        + " INSERT INTO t VALUES (3)")),
            .sequence(SQLText(sql: "BEGIN; INSERT INTO t VALUES (4); COMMIT")),
            .sequence(SQLText(sql: "SELECT ?")),
        ])
        XCTAssertEqual(
            results.map(\.code), [nil, nil, "SQLITE_CONSTRAINT_UNIQUE", nil, "ARGS_INVALID"])
        XCTAssertEqual(try fixture.text("SELECT group_concat(a) FROM t"), "1,2,4")
    }

    func testDescribe() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a INTEGER, b TEXT)")
        let rows: [(String, [String?], [String], Bool, Bool)] = [
            ("SELECT a, b FROM t WHERE a = :x AND b = ?", [":x", nil], ["a", "b"], false, true),
            ("INSERT INTO t VALUES (?1, $z)", ["?1", "$z"], [], false, false),
            ("EXPLAIN QUERY PLAN SELECT 1", [], ["id", "parent", "notused", "detail"], true, true),
            ("DELETE FROM t RETURNING a", [], ["a"], false, false),
        ]
        for (sql, parameters, columns, isExplain, isReadOnly) in rows {
            let result = try fixture.run([.describe(SQLText(sql: sql))])[0].result
            XCTAssertEqual(
                (result?["params"] as? [[String: Any]])?.map { $0["name"] as? String }, parameters)
            XCTAssertEqual(
                (result?["cols"] as? [[String: Any]])?.map { $0["name"] as? String }, columns)
            XCTAssertEqual(result?["is_explain"] as? Bool, isExplain, sql)
            XCTAssertEqual(result?["is_readonly"] as? Bool, isReadOnly, sql)
        }
        XCTAssertEqual(
            try fixture.run([.describe(SQLText(sql: "SELECT nowhere"))])[0].code, "SQLITE_ERROR")
        XCTAssertEqual(fixture.writeCount, 0)
    }

    /// SQLite compiles against the schema that the connection remembers.
    func testStatementsAreCompiledAgainstTheNewestSchema() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a, b)")
        let select = StreamRequest.describe(SQLText(sql: "SELECT * FROM t"))
        let insert = StreamRequest.describe(SQLText(sql: "INSERT INTO t VALUES(1, 2, 3)"))
        func describe(_ request: StreamRequest) throws -> [String: Any] {
            let body = try fixture.outcome([request], onReader: true).body.get()
            let root = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
            return try XCTUnwrap((root?["results"] as? [[String: Any]])?.first)
        }
        XCTAssertEqual(try describe(insert)["type"] as? String, "error")
        _ = try fixture.run([.sequence(SQLText(sql: "ALTER TABLE t ADD COLUMN c"))])
        XCTAssertEqual(try describe(insert)["type"] as? String, "ok")
        _ = try fixture.run([.sequence(SQLText(sql: "ALTER TABLE t ADD COLUMN d"))])
        let result = try XCTUnwrap(
            (try describe(select)["response"] as? [String: Any])?["result"] as? [String: Any])
        XCTAssertEqual((result["cols"] as? [Any])?.count, 4)
        // And in the same request.
        let results = try fixture.run([
            select, .sequence(SQLText(sql: "ALTER TABLE t ADD COLUMN e")), select,
        ])
        XCTAssertEqual((results[2].result?["cols"] as? [Any])?.count, 5)
    }
}
