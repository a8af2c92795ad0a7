import XCTest

/// `POST /v2/pipeline`, byte for byte; docs/protocol.md, "SQL pipeline".
final class PipelineTests: ServerTestCase {
    private func executed(
        cols: String = "", rows: String = "", affected: Int = 0, rowid: String = "null"
    ) -> String {
        #"{"cols":[\#(cols)],"rows":[\#(rows)],"affected_row_count":\#(affected),"#
            + #""last_insert_rowid":\#(rowid),"replication_index":null}"#
    }

    private func ok(_ type: String, _ result: String? = nil) -> String {
        let field = result.map { #","result":\#($0)"# } ?? ""
        return #"{"type":"ok","response":{"type":"\#(type)"\#(field)}}"#
    }

    private func autocommit(_ value: Bool) -> String {
        #"{"type":"ok","response":{"type":"get_autocommit","is_autocommit":\#(value)}}"#
    }

    private func error(_ message: String, _ code: String) -> String {
        #"{"type":"error","error":\#(failure(message, code))}"#
    }

    private func failure(_ message: String, _ code: String) -> String {
        #"{"message":"\#(message)","code":"\#(code)"}"#
    }

    private func column(_ name: String, _ type: String? = nil) -> String {
        #"{"name":"\#(name)","decltype":\#(type.map { #""\#($0)""# } ?? "null")}"#
    }

    private func execute(_ sql: String, _ more: String = "") -> String {
        #"{"type":"execute","stmt":{"sql":\#(JSONText.string(sql))\#(more)}}"#
    }

    private func assertAnswers(
        _ database: TestDatabase, _ rows: [(requests: String, results: [String])],
        file: StaticString = #filePath, line: UInt = #line
    ) throws {
        for row in rows {
            let reply = try database.pipeline(#"{"requests":[\#(row.requests)]}"#)
            XCTAssertEqual(reply.status, 200, row.requests, file: file, line: line)
            XCTAssertEqual(reply["content-type"], "application/json", file: file, line: line)
            let results = row.results.joined(separator: ",")
            let expected = #"{"baton":null,"base_url":null,"results":[\#(results)]}"#
            XCTAssertEqual(reply.text, expected, row.requests, file: file, line: line)
        }
    }

    func testExecute() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v VARCHAR(9))")
        let integer = #"[{"type":"integer","value":"1"}]"#
        try assertAnswers(
            database,
            [
                ("", []),
                (
                    execute("SELECT 1 AS a"),
                    [ok("execute", executed(cols: column("a"), rows: integer))]
                ),
                (
                    execute("SELECT id, v FROM t"),
                    [
                        ok(
                            "execute",
                            executed(
                                cols: "\(column("id", "INTEGER")),\(column("v", "VARCHAR(9)"))"))
                    ]
                ),
                (
                    execute("INSERT INTO t VALUES(7, 'a'), (8, 'b')"),
                    [
                        ok("execute", executed(affected: 2, rowid: #""8""#))
                    ]
                ),
                (execute("UPDATE t SET v = 'c'"), [ok("execute", executed(affected: 2))]),
                (execute("DELETE FROM t WHERE id = 8"), [ok("execute", executed(affected: 1))]),
                (
                    execute("INSERT INTO t VALUES(9, 'a') RETURNING id"),
                    [
                        ok(
                            "execute",
                            executed(
                                cols: column("id", "INTEGER"),
                                rows: #"[{"type":"integer","value":"9"}]"#,
                                affected: 1, rowid: #""9""#))
                    ]
                ),
                (
                    execute("SELECT 1", #","want_rows":false"#),
                    [
                        ok("execute", executed(cols: column("1")))
                    ]
                ),
                (
                    execute("INSERT INTO t VALUES(-9223372036854775808, NULL)"),
                    [
                        ok("execute", executed(affected: 1, rowid: #""-9223372036854775808""#))
                    ]
                ),
            ])
    }

    func testErrorsOfStatements() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(c UNIQUE, n NOT NULL)", "INSERT INTO t VALUES(1, 1)")
        try assertAnswers(
            database,
            [
                (
                    execute("SELECT * FROM absent"),
                    [
                        error("no such table: absent", "SQLITE_ERROR")
                    ]
                ),
                (
                    execute("INSERT INTO t VALUES(1, 2)"),
                    [
                        error("UNIQUE constraint failed: t.c", "SQLITE_CONSTRAINT_UNIQUE")
                    ]
                ),
                (
                    execute("INSERT INTO t VALUES(2, NULL)"),
                    [
                        error("NOT NULL constraint failed: t.n", "SQLITE_CONSTRAINT_NOTNULL")
                    ]
                ),
                (
                    execute("SELEC 1"),
                    [
                        error(#"near \"SELEC\": syntax error"#, "SQL_PARSE_ERROR")
                    ]
                ),
                (
                    execute(""),
                    [
                        error("SQL string does not contain any statement", "SQL_NO_STATEMENT")
                    ]
                ),
                (
                    execute("SELECT 1; SELECT 2"),
                    [
                        error("SQL string contains more than one statement", "SQL_MANY_STATEMENTS")
                    ]
                ),
                (
                    execute("SELECT 1;  -- done"),
                    [
                        ok(
                            "execute",
                            executed(cols: column("1"), rows: #"[{"type":"integer","value":"1"}]"#))
                    ]
                ),
                (
                    execute("SELECT ?", #","args":[]"#),
                    [
                        error("value for parameter 1 not found", "ARGS_INVALID")
                    ]
                ),
                (
                    execute("SELECT 1", #","args":[{"type":"null"}]"#),
                    [
                        error("1 arguments for 0 parameters", "ARGS_INVALID")
                    ]
                ),
                (
                    execute("SELECT :a", #","named_args":[{"name":"b","value":{"type":"null"}}]"#),
                    [
                        error("no parameter is named b", "ARGS_INVALID")
                    ]
                ),
                // What follows a failure is carried out all the same.
                (
                    #"\#(execute("x")),{"type":"get_autocommit"}"#,
                    [
                        error(#"near \"x\": syntax error"#, "SQL_PARSE_ERROR"),
                        autocommit(true),
                    ]
                ),
            ])
    }

    func testOtherRequests() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        let one = executed(cols: column("1"), rows: #"[{"type":"integer","value":"1"}]"#)
        try assertAnswers(
            database,
            [
                (
                    #"{"type":"sequence","sql":"INSERT INTO t VALUES(1,1); DELETE FROM t"}"#,
                    [ok("sequence")]
                ),
                (#"{"type":"sequence","sql":""}"#, [ok("sequence")]),
                (
                    #"{"type":"sequence","sql":"DELETE FROM t; nonsense; DELETE FROM t"}"#,
                    [
                        error(#"near \"nonsense\": syntax error"#, "SQL_PARSE_ERROR")
                    ]
                ),
                (
                    #"{"type":"describe","sql":"SELECT id, ?1, :name FROM t WHERE v = ?"}"#,
                    [
                        ok(
                            "describe",
                            #"{"params":[{"name":"?1"},{"name":":name"},{"name":null}],"cols":["#
                                + "\(column("id", "INTEGER")),\(column("?1")),\(column(":name"))"
                                + #"],"is_explain":false,"is_readonly":true}"#)
                    ]
                ),
                (
                    #"{"type":"describe","sql":"DELETE FROM t"}"#,
                    [
                        ok(
                            "describe",
                            #"{"params":[],"cols":[],"is_explain":false,"is_readonly":false}"#)
                    ]
                ),
                (
                    #"{"type":"store_sql","sql_id":3,"sql":"SELECT 1"},"#
                        + #"{"type":"execute","stmt":{"sql_id":3}},"#
                        + #"{"type":"close_sql","sql_id":3},"#
                        + #"{"type":"execute","stmt":{"sql_id":3}}"#,
                    [
                        ok("store_sql"), ok("execute", one), ok("close_sql"),
                        error("SQL text 3 does not exist", "SQL_ID_NOT_FOUND"),
                    ]
                ),
                (
                    #"{"type":"close"},\#(execute("SELECT 1"))"#,
                    [
                        ok("close"), error("the stream is closed", "STREAM_CLOSED"),
                    ]
                ),
                (
                    #"{"type":"later_invention"}"#,
                    [
                        error("requests of type later_invention are not known", "REQUEST_UNKNOWN")
                    ]
                ),
            ])
    }

    func testBatchesAndConditions() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        func step(_ sql: String, _ condition: String? = nil) -> String {
            let prefix = condition.map { #""condition":\#($0),"# } ?? ""
            return #"{\#(prefix)"stmt":{"sql":"\#(sql)","want_rows":false}}"#
        }
        func batch(_ steps: String...) -> String {
            #"{"type":"batch","batch":{"steps":[\#(steps.joined(separator: ","))]}}"#
        }
        func outcome(_ results: [String], _ errors: [String]) -> [String] {
            [
                ok(
                    "batch",
                    #"{"step_results":[\#(results.joined(separator: ","))],"#
                        + #""step_errors":[\#(errors.joined(separator: ","))]}"#
                )
            ]
        }
        let one = executed(cols: column("1"))
        let done = executed()
        let syntax = failure(#"near \"x\": syntax error"#, "SQL_PARSE_ERROR")
        let isAutocommit = #"{"type":"is_autocommit"}"#
        func not(_ condition: String) -> String { #"{"type":"not","cond":\#(condition)}"# }
        func index(_ type: String, _ step: Int) -> String {
            #"{"type":"\#(type)","step":\#(step)}"#
        }
        func list(_ type: String, _ conditions: String...) -> String {
            #"{"type":"\#(type)","conds":[\#(conditions.joined(separator: ","))]}"#
        }
        // Steps: 0 succeeds, 1 fails, 2 is skipped; the last has the condition in question.
        let rows: [(condition: String, holds: Bool)] = [
            ("null", true),
            (index("ok", 0), true), (index("ok", 1), false), (index("ok", 2), false),
            (index("error", 0), false), (index("error", 1), true), (index("error", 2), false),
            (not(index("ok", 0)), false), (not(not(index("ok", 0))), true),
            (list("and"), true), (list("or"), false),
            (list("and", index("ok", 0), index("error", 1)), true),
            (list("and", index("ok", 0), index("ok", 1)), false),
            (list("or", index("ok", 1), index("ok", 0)), true),
            (list("or", index("ok", 1), index("ok", 2)), false),
            (isAutocommit, true), (not(isAutocommit), false),
        ]
        try assertAnswers(
            database,
            rows.map { row in
                (
                    batch(
                        step("SELECT 1"), step("x"), step("SELECT 1", index("error", 0)),
                        step("SELECT 1", row.condition)),
                    outcome(
                        [one, "null", "null", row.holds ? one : "null"],
                        ["null", syntax, "null", "null"])
                )
            })
        try assertAnswers(
            database,
            [
                (batch(), outcome([], [])),
                (
                    batch(
                        step("BEGIN"), step("INSERT INTO t VALUES(5)", not(isAutocommit)),
                        step("ROLLBACK", not(isAutocommit)), step("SELECT 1", not(isAutocommit))),
                    outcome(
                        [done, executed(affected: 1, rowid: #""5""#), done, "null"],
                        ["null", "null", "null", "null"])
                ),
            ])
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["0"]])
    }

    func testATransactionMayRunOverSeveralRequestsOfOnePipeline() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        try assertAnswers(
            database,
            [
                (
                    [
                        execute("BEGIN"), #"{"type":"get_autocommit"}"#,
                        execute("INSERT INTO t VALUES(1)"), execute("COMMIT"),
                        #"{"type":"get_autocommit"}"#,
                    ].joined(separator: ","),
                    [
                        ok("execute", executed()),
                        autocommit(false),
                        ok("execute", executed(affected: 1, rowid: #""1""#)),
                        ok("execute", executed()),
                        autocommit(true),
                    ]
                )
            ])
        XCTAssertEqual(try database.sql("SELECT id FROM t").rows, [["1"]])
    }

    /// The replicas' engine has it built in, stock SQLite does not.
    func testGenerateSeriesWorksForReadersAndWriters() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        let series = "SELECT value FROM generate_series(1, 9, 4)"
        XCTAssertEqual(try database.sql(series).rows, [["1"], ["5"], ["9"]])
        try database.sql("INSERT INTO t \(series)")
        XCTAssertEqual(try database.sql("SELECT id FROM t").rows, [["1"], ["5"], ["9"]])
    }
}
