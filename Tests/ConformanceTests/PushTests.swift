import XCTest

/// Pushes of replicas; docs/protocol.md, "Push".
final class PushTests: ServerTestCase {
    /// The batch that a client sends for a chunk of its changes.
    private func push(
        _ database: TestDatabase, client: String = "replica", changeID: Int = 1,
        _ statements: String...
    ) throws -> HTTPReply {
        func step(_ sql: String, args: String = "", isFirst: Bool = false) -> String {
            let condition = isFirst ? "null" : #"{"type":"not","cond":{"type":"is_autocommit"}}"#
            return #"{"condition":\#(condition),"stmt":{"sql":\#(JSONText.string(sql)),"#
                + #""sql_id":null,"args":[\#(args)],"named_args":[],"want_rows":false}}"#
        }
        let note =
            "INSERT INTO turso_sync_last_change_id(client_id, pull_gen, change_id) "
            + "VALUES (?, ?, ?) ON CONFLICT(client_id) DO UPDATE SET "
            + "pull_gen=excluded.pull_gen, change_id=excluded.change_id"
        let steps =
            [
                step("BEGIN IMMEDIATE", isFirst: true),
                step(
                    "CREATE TABLE IF NOT EXISTS turso_sync_last_change_id "
                        + "(client_id TEXT PRIMARY KEY, pull_gen INTEGER, change_id INTEGER)"),
            ] + statements.map { step($0) } + [
                step(
                    note,
                    args: #"{"type":"text","value":"\#(client)"},{"type":"integer","value":"0"},"#
                        + #"{"type":"integer","value":"\#(changeID)"}"#),
                step("COMMIT"),
            ]
        return try database.pipeline(JSONText.batch(steps))
    }

    /// The errors of a batch's steps by index; nil for those that had none.
    private func stepErrors(_ reply: HTTPReply) -> [String?] {
        let results = reply.object["results"] as? [[String: Any]]
        let response = results?.first?["response"] as? [String: Any]
        let result = response?["result"] as? [String: Any]
        return (result?["step_errors"] as? [Any] ?? []).map {
            ($0 as? [String: Any])?["message"] as? String
        }
    }

    // MARK: recorded pushes

    /// What one client sent over a session, in the order in which it sent it.
    func testRecordedPushesOfARealClient() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
            "INSERT INTO t VALUES(1, 'a'), (2, 'b'), (3, 'c')")
        let client = "turso-sync-py-2d6b63bf-2a84-466b-a0ed-1436f317c0c4"
        let rows: [(name: String, changeID: String, query: String, expected: [[String]])] = [
            ("push-insert", "1", "SELECT * FROM t WHERE id > 3", [["5000", "new"]]),
            ("push-nothing", "1", "SELECT count(*) FROM t", [["4"]]),
            (
                "push-update-delete-replace", "6", "SELECT * FROM t ORDER BY id",
                [["1", "u"], ["3", "r"], ["5000", "new"]]
            ),
            (
                "push-values", "13",
                "SELECT a, typeof(b), length(b), typeof(c), typeof(d), length(CAST(b AS BLOB)) "
                    + "FROM n ORDER BY rowid",
                [
                    ["1", "text", "3", "blob", "real", "12"],
                    ["9223372036854775807", "null", "NULL", "blob", "real", "NULL"],
                    ["-9223372036854775808", "text", "0", "blob", "real", "0"],
                    // An infinity arrives as null.
                    ["2", "text", "3", "integer", "null", "3"],
                ]
            ),
            ("push-ddl", "23", "SELECT b FROM n WHERE a = 1", [["z"]]),
            ("push-composite-key", "30", "SELECT * FROM comp", [["x", "2", "9"]]),
            (
                "push-drop-table", "32",
                "SELECT count(*) FROM sqlite_schema WHERE name = 'comp'", [["0"]]
            ),
        ]
        for row in rows {
            let requests = try RecordedRequests.load(row.name)
            for request in requests {
                let reply = try database.replay(request)
                XCTAssertEqual(reply.status, 200, "\(row.name) \(reply.text)")
                // Only the question whether it ever pushed may fail, on the first push.
                for error in stepErrors(reply).compactMap({ $0 }) {
                    XCTAssertEqual(row.name, "push-insert")
                    XCTAssertEqual(error, "no such table: turso_sync_last_change_id")
                }
            }
            XCTAssertEqual(try database.sql(row.query).rows, row.expected, row.name)
            XCTAssertEqual(
                try database.sql(
                    "SELECT change_id FROM turso_sync_last_change_id WHERE client_id = '\(client)'"
                ).rows, [[row.changeID]], row.name)
            XCTAssertEqual(try database.rejected.count, 0, row.name)
        }
    }

    func testAPushInChunks() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        for request in try RecordedRequests.load("push-threshold-2") {
            XCTAssertEqual(try database.replay(request).status, 200)
        }
        XCTAssertEqual(
            try database.sql("SELECT group_concat(id) FROM t").rows,
            [["7000,7001,7002,7003,7004"]])
        XCTAssertEqual(
            try database.sql("SELECT change_id FROM turso_sync_last_change_id").rows, [["9"]])
    }

    /// The client makes SQL that cannot be parsed; it goes on as if that step had worked.
    func testAStepThatIsNoSQLIsSkippedAndListed() throws {
        let database = try makeDatabase()
        for request in try RecordedRequests.load("push-insert-into-dropped-table") {
            XCTAssertEqual(try database.replay(request).status, 200)
        }
        XCTAssertEqual(
            try database.sql("SELECT change_id FROM turso_sync_last_change_id").rows, [["37"]])
        XCTAssertEqual(
            try database.rejected.map { $0["sql"] as? String },
            [
                #"INSERT INTO "brief"() VALUES (?)"#
            ])
    }

    func testAPushThatChangesNothingMakesNoRevision() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        for request in try RecordedRequests.load("push-insert") { _ = try database.replay(request) }
        let revision = try database.pull().revision
        for request in try RecordedRequests.load("push-nothing") {
            XCTAssertEqual(try database.replay(request).status, 200)
        }
        XCTAssertEqual(try database.pull().revision, revision)
    }

    // MARK: rejected changes

    func testARejectedChangeIsSkippedAndListed() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE)", "INSERT INTO t VALUES(1, 'taken')")
        let reply = try push(
            database, changeID: 12, "INSERT INTO t VALUES(2, 'free')",
            "INSERT INTO t VALUES(3, 'taken')", "INSERT INTO t VALUES(4, 'too')")
        XCTAssertEqual(
            stepErrors(reply), [nil, nil, nil, "UNIQUE constraint failed: t.u", nil, nil, nil])
        XCTAssertEqual(try database.sql("SELECT group_concat(id) FROM t").rows, [["1,2,4"]])

        let rejected = try database.rejected
        XCTAssertEqual(rejected.count, 1)
        let entry = try XCTUnwrap(rejected.first)
        XCTAssertEqual(
            Set(entry.keys),
            ["time", "client_id", "pull_gen", "change_id", "step", "sql", "args", "error"])
        XCTAssertEqual(entry["client_id"] as? String, "replica")
        XCTAssertEqual(entry["change_id"] as? Int, 12)
        XCTAssertEqual(entry["step"] as? Int, 3)
        XCTAssertEqual(entry["sql"] as? String, "INSERT INTO t VALUES(3, 'taken')")
        XCTAssertEqual(
            entry["error"] as? [String: String],
            ["message": "UNIQUE constraint failed: t.u", "code": "SQLITE_CONSTRAINT_UNIQUE"])
        XCTAssertEqual(try database.statistic("rejected_changes"), 1)
        // The log is no part of what replicas pull.
        var replica = DatabaseImage()
        replica.apply(try database.pull())
        XCTAssertEqual(
            try replica.text("SELECT group_concat(name) FROM sqlite_schema WHERE sql NOT NULL"),
            "t,turso_sync_last_change_id")
    }

    /// A client whose answer got lost sends the same again.
    func testARepeatedPushListsNothingTwice() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(u UNIQUE)", "INSERT INTO t VALUES('taken')")
        for _ in 0..<3 {
            _ = try push(database, changeID: 5, "INSERT INTO t VALUES('taken')")
        }
        XCTAssertEqual(try database.rejected.count, 1)
        _ = try push(database, changeID: 6, "INSERT INTO t VALUES('taken')")
        _ = try push(database, client: "another", changeID: 6, "INSERT INTO t VALUES('taken')")
        XCTAssertEqual(try database.rejected.count, 3)
    }

    /// The note of the position is the same as before and the only change is refused.
    func testAChangeRejectedByAPushThatChangesNothingIsListed() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(u UNIQUE)", "INSERT INTO t VALUES('taken')")
        _ = try push(database, changeID: 5, "DELETE FROM t WHERE u = 'absent'")
        let revision = try database.pull().revision
        _ = try push(database, changeID: 5, "INSERT INTO t VALUES('taken')")
        XCTAssertEqual(try database.pull().revision, revision)
        XCTAssertEqual(try database.rejected.count, 1)
    }

    func testRejectedChangesSurviveAKill() throws {
        var server = try RunningServer()
        defer { server.kill() }
        var database = server.database("default")
        try database.sql("CREATE TABLE t(u UNIQUE)")
        try database.sql("INSERT INTO t VALUES('taken')")
        _ = try push(database, changeID: 5, "INSERT INTO t VALUES('taken')")
        server = try server.restarted(isKilled: true)
        database = server.database("default")
        XCTAssertEqual(try database.rejected.count, 1)
    }

    func testARefusalThatEndsTheTransactionCostsOnlyItsOwnStep() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(u UNIQUE ON CONFLICT ROLLBACK)", "INSERT INTO t VALUES('taken')")
        let reply = try push(
            database, "INSERT INTO t VALUES('a')", "INSERT INTO t VALUES('taken')",
            "INSERT INTO t VALUES('b')")
        XCTAssertEqual(stepErrors(reply)[3], "UNIQUE constraint failed: t.u")
        XCTAssertEqual(
            try database.sql("SELECT group_concat(u) FROM t").rows, [["taken,a,b"]])
        XCTAssertEqual(try database.rejected.count, 1)
    }

    func testAStrictDatabaseTakesAllOfAPushOrNothing() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(u UNIQUE)", "INSERT INTO t VALUES('taken')")
        let reply = try database.admin(
            "POST", "/config", body: Array(#"{"strict_push":true}"#.utf8))
        XCTAssertEqual(reply.text, #"{"strict_push":true,"synced":true,"frame_sync":true}"#)
        let refused = try push(
            database, "INSERT INTO t VALUES('a')", "INSERT INTO t VALUES('taken')")
        XCTAssertEqual(SQLResult(refused).failure?.message, "UNIQUE constraint failed: t.u")
        XCTAssertEqual(try database.sql("SELECT group_concat(u) FROM t").rows, [["taken"]])
        XCTAssertEqual(try database.rejected.count, 0)
    }

    // MARK: triggers

    /// The replica's change log already holds what its triggers wrote.
    func testTriggersAndForeignKeyActionsAreOffDuringAPushOnly() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(id INTEGER PRIMARY KEY)", "CREATE TABLE log(id)",
            "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.id); END",
            "CREATE TABLE child(p REFERENCES t(id) ON DELETE CASCADE)", "PRAGMA foreign_keys = ON")
        _ = try push(
            database, "INSERT INTO t VALUES(1)", "INSERT INTO child VALUES(1)",
            "DELETE FROM t WHERE id = 1", "INSERT INTO child VALUES(99)")
        XCTAssertEqual(try database.sql("SELECT count(*) FROM log").rows, [["0"]])
        XCTAssertEqual(try database.sql("SELECT group_concat(p) FROM child").rows, [["1,99"]])
        try database.sql("INSERT INTO t VALUES(2)")
        XCTAssertEqual(try database.sql("SELECT id FROM log").rows, [["2"]])
    }

    // MARK: many at once

    func testWritersQueueInsteadOfFailing() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        let writers = 60
        let clients = try (0..<writers).map { _ in try RawClient(port: server.http) }
        for (index, client) in clients.enumerated() {
            let steps = [
                "BEGIN IMMEDIATE", "INSERT INTO t VALUES(\(index), randomblob(2000))",
                "UPDATE t SET v = v WHERE id = \(index)", "COMMIT",
            ].map { #"{"stmt":{"sql":"\#($0)"}}"# }.joined(separator: ",")
            let body = #"{"requests":[{"type":"batch","batch":{"steps":[\#(steps)]}}]}"#
            try client.send(
                RawClient.request(
                    "POST", "/db/\(database.name)/v2/pipeline", body: Array(body.utf8)))
        }
        for client in clients {
            let reply = try client.readReply()
            XCTAssertEqual(reply.status, 200)
            XCTAssertEqual(stepErrors(reply), [nil, nil, nil, nil])
        }
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["\(writers)"]])
    }
}
