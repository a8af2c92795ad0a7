import Primitives
import XCTest

/// First contact with a query; docs/protocol.md, "Bootstrap by query".
final class QueryBootstrapTests: ServerTestCase {
    override class var serverArguments: [String] {
        [
            "--bootstrap-query-max-pages", "40", "--bootstrap-query-timeout", "500ms",
            "--min-checkpoint-page-count", "100",
        ]
    }

    private let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    /// Rows with a key, in `count` / 13 pages and more.
    private func makeKeyedDatabase(rows count: Int) throws -> TestDatabase {
        try makeDatabase(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT UNIQUE, v)",
            "INSERT INTO t SELECT value, 'key ' || value, zeroblob(280) "
                + "FROM generate_series(1, \(count))")
    }

    /// Applies the answer to an empty replica, which then must answer the query by itself.
    private func assertHolds(
        _ pull: PulledPages, _ query: String, _ expected: String, line: UInt = #line
    ) throws {
        var replica = DatabaseImage()
        replica.apply(pull)
        XCTAssertEqual(try replica.text(query), expected, query, line: line)
    }

    func testALookupInALargeTableIsAFewPages() throws {
        let database = try makeKeyedDatabase(rows: 100_000)
        let lookups = [
            "SELECT id FROM t WHERE id = 77777", "SELECT id FROM t WHERE k = 'key 77777'",
        ]
        for _ in 0..<2 {
            for lookup in lookups {
                let pull = try database.pull(PullBody(query: lookup))
                XCTAssertGreaterThan(pull.databaseSize, 7000)
                XCTAssertLessThanOrEqual(pull.pages.count, 10, lookup)
                XCTAssertEqual(pull.ids.first, 0, lookup)
                try assertHolds(pull, lookup, "77777")
            }
            // Then with a few pages in the WAL, and that one among them.
            try database.sql("UPDATE t SET v = zeroblob(281) WHERE id = 77777")
            XCTAssertGreaterThan(try database.statistic("wal_pages"), 0)
        }
    }

    func testAQueryOfNoTableGetsTheSchema() throws {
        let database = try makeDatabase("CREATE TABLE t(v)")
        for index in 0..<20 {
            let comment = String(repeating: "x", count: 1000)
            try database.sql("CREATE TABLE t\(index)(a /* \(comment) */)")
        }
        let pull = try database.pull(PullBody(query: "SELECT 1"))
        XCTAssertEqual(pull.ids.first, 0)
        XCTAssertLessThan(pull.pages.count, pull.databaseSize - 15, "roots are not the schema")
        try assertHolds(pull, "SELECT count(sql) FROM sqlite_schema", "21")
    }

    func testStatementsThatOnlyReadAreAccepted() throws {
        let database = try makeKeyedDatabase(rows: 20)
        let statements = [
            "SELECT * FROM t", "  -- a comment\n SELECT 1;; -- and one", "VALUES(1)",
            "WITH x AS (SELECT 1) SELECT * FROM x", "SELECT * FROM t WHERE id > 7 ORDER BY v",
            "EXPLAIN QUERY PLAN SELECT * FROM t", "PRAGMA table_info(t)",
            "SELECT value FROM generate_series(1, 5)",
        ]
        for sql in statements {
            XCTAssertTrue(try database.pull(PullBody(query: sql)).ids.contains(0), sql)
        }
    }

    func testStatementsThatDoNotReadAreRefused() throws {
        let database = try makeKeyedDatabase(rows: 20)
        let before = try database.pull()
        let rows: [(sql: String, text: String)] = [
            ("SELEC 1", "near \"SELEC\": syntax error"),
            ("SELECT * FROM missing", "no such table: missing"),
            ("SELECT missing FROM t", "no such column: missing"),
            ("SELECT abs(-9223372036854775808)", "integer overflow"),
            ("SELECT 'x", "unrecognized token: \"'x\""),
            (" ", "does not contain any statement"),
            ("-- nothing", "does not contain any statement"),
            ("SELECT 1; SELECT 2", "more than one statement"),
            ("SELECT 1\0", "NUL"),
            ("SELECT * FROM t WHERE id = ?", "value for parameter 1 not found"),
            ("INSERT INTO t VALUES(1000, 'x', 1)", "attempt to write a readonly database"),
            ("DELETE FROM t RETURNING id", "attempt to write a readonly database"),
            ("CREATE TABLE other(a)", "attempt to write a readonly database"),
            ("CREATE TEMP TABLE other(a)", "attempt to write a readonly database"),
            ("DROP TABLE t", "attempt to write a readonly database"),
            ("PRAGMA user_version = 7", "attempt to write a readonly database"),
            ("VACUUM", "attempt to write a readonly database"),
            ("PRAGMA optimize", ""),
            ("BEGIN IMMEDIATE", "attempt to write a readonly database"),
            ("BEGIN", "the statement returns no rows"),
            ("SAVEPOINT s", "the statement returns no rows"),
            ("ATTACH 'x.db' AS x", "ATTACH is not allowed"),
            ("PRAGMA query_only = OFF", "PRAGMA query_only may be read but not set"),
            ("PRAGMA writable_schema = ON", "PRAGMA writable_schema is not allowed"),
            ("PRAGMA wal_checkpoint(TRUNCATE)", ""),
            ("SELECT load_extension('x')", "load_extension"),
        ]
        for row in rows {
            let reply = try database.pullReply(PullBody(query: row.sql))
            assertFailure(reply, 400, "query_refused", row.sql)
            let text = reply.object["error"] as? String ?? ""
            XCTAssertTrue(text.contains(row.text) || row.text.isEmpty, "\(row.sql): \(text)")
        }
        let after = try database.pull()
        XCTAssertEqual(after.revision, before.revision)
        XCTAssertEqual(after.pages.map(\.bytes), before.pages.map(\.bytes))
        // Nothing is left behind for others, such as a lock or an attached file.
        XCTAssertEqual(try database.sql("PRAGMA database_list").rows.count, 1)
        try database.sql("INSERT INTO t VALUES(1000, 'x', 1)")
    }

    func testAQueryOnADatabaseThatIsNotSyncedIsRefusedAsAllPulls() throws {
        let database = try makeDatabase("CREATE TABLE t(v)")
        let body = Array(#"{"synced":false}"#.utf8)
        XCTAssertEqual(try database.admin("POST", "/config", body: body).status, 200)
        for sql in ["SELECT * FROM t", "SELEC"] {
            assertFailure(try database.pullReply(PullBody(query: sql)), 409, "not_synced", sql)
        }
    }

    func testBeyondTheMostPagesTheFirstOnesAreSent() throws {
        let database = try makeKeyedDatabase(rows: 5000)
        for sql in ["SELECT v FROM t", "SELECT count(*) FROM t NOT INDEXED"] {
            let pull = try database.pull(PullBody(query: sql))
            XCTAssertEqual(pull.pages.count, 40, sql)
            XCTAssertEqual(pull.ids.first, 0)
            XCTAssertGreaterThan(pull.databaseSize, 350)
        }
        wait(for: "the log says so") {
            server.log.contains("event=bootstrap_query_cut database=\(database.name) limit=pages")
        }
    }

    func testAfterTheTimeThePagesFoundAreSent() throws {
        let database = try makeKeyedDatabase(rows: 100)
        let slow = "SELECT * FROM t WHERE id = 1 OR (\(endless)) = 0"
        let pull = try database.pull(PullBody(query: slow))
        XCTAssertEqual(pull.ids.first, 0)
        XCTAssertLessThan(pull.pages.count, pull.databaseSize)
        wait(for: "the log says so") {
            server.log.contains("event=bootstrap_query_cut database=\(database.name) limit=time")
        }
    }

    /// The query counts at first contact, where clients send it, and only alone.
    func testElsewhereAQueryIsIgnored() throws {
        let database = try makeKeyedDatabase(rows: 300)
        let first = try database.pull()
        let refused = "SELEC"
        XCTAssertEqual(try database.pull(PullBody(selector: [3], query: refused)).ids, [0, 3])
        XCTAssertEqual(
            try database.pull(PullBody(clientRevision: first.revision, query: refused)).ids, [])
        XCTAssertEqual(
            try database.pull(PullBody(serverRevision: first.revision, query: refused)).ids,
            first.ids)
    }

    /// The rest of the database can be fetched at the revision of the first answer.
    func testMissingPagesAreReadLater() throws {
        let database = try makeKeyedDatabase(rows: 2000)
        let before = try database.export()
        let pull = try database.pull(PullBody(query: "SELECT v FROM t WHERE id = 500"))
        var replica = DatabaseImage()
        replica.apply(pull)
        for _ in 0..<3 { try database.sql("UPDATE t SET v = randomblob(280)") }
        let missing = Set(0..<pull.databaseSize).subtracting(pull.ids).sorted()
        replica.apply(
            try database.pull(
                PullBody(serverRevision: pull.revision, selector: missing.map(UInt32.init))))
        XCTAssertEqual(replica.differingPages(from: before), [])
    }
}

/// A query that would run for ever, ended by its client or by the server's end.
final class EndlessQueryTests: XCTestCase {
    private let endless = "SELECT count(*) FROM t a, t b, t c, t d, t e, t f"

    private func makeServer(_ arguments: String...) throws -> (RunningServer, TestDatabase) {
        let server = try RunningServer(
            arguments: ["--bootstrap-query-timeout", "1h", "--log-level", "debug"] + arguments)
        let database = server.database("default")
        try database.sql("CREATE TABLE t(v)")
        try database.sql("INSERT INTO t SELECT zeroblob(3000) FROM generate_series(1, 1000)")
        return (server, database)
    }

    /// Sends it and returns once the server has begun to run it.
    private func begin(_ server: RunningServer) throws -> RawClient {
        let client = try RawClient(port: server.http)
        try client.send(
            RawClient.request("POST", "/pull-updates", body: PullBody(query: endless).bytes))
        try wait(server, for: "event=bootstrap_query ")
        return client
    }

    private func wait(
        _ server: RunningServer, for text: String, doing work: () throws -> Void = {}
    ) throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while !server.log.contains(text) {
            guard ContinuousClock.now < deadline else {
                return XCTFail("not in the log: \(text)\n\(server.log)")
            }
            try work()
        }
    }

    func testItEndsWhenItsClientGoes() throws {
        let (server, database) = try makeServer()
        defer { server.kill() }
        try begin(server).reset()
        try wait(server, for: "event=bootstrap_query_cut database=default limit=stopped")
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["1000"]])
        XCTAssertEqual(server.stop(), 0, server.log)
        XCTAssertFalse(server.log.contains("level=error"), server.log)
        let next = try RunningServer(folder: server.folder)
        defer { next.kill() }
        XCTAssertEqual(try next.database("default").statistic("pins"), 0, "for nobody")
        XCTAssertEqual(next.stop(), 0, next.log)
    }

    func testItEndsWhenItHoldsUpACheckpoint() throws {
        let (server, database) = try makeServer(
            "--max-snapshot-age", "100ms", "--min-checkpoint-page-count", "5")
        defer { server.kill() }
        let client = try begin(server)
        var round = 0
        try wait(server, for: "event=bootstrap_query_cut database=default limit=age") {
            round += 1
            try database.sql("UPDATE t SET v = zeroblob(\(3000 - round)) WHERE rowid <= 10")
        }
        let pull = try PulledPages(try client.readReply(), file: #filePath, line: #line)
        XCTAssertEqual(pull.ids.first, 0)
        XCTAssertEqual(server.stop(), 0, server.log)
    }

    /// The client gets what was found: it is as good as any other selection.
    func testItEndsWhenTheServerStops() throws {
        let (server, _) = try makeServer()
        defer { server.kill() }
        let client = try begin(server)
        let start = ContinuousClock.now
        server.send(SIGTERM)
        let pull = try PulledPages(try client.readReply(), file: #filePath, line: #line)
        XCTAssertEqual(pull.ids.first, 0)
        XCTAssertEqual(server.waitForExit(), 0, server.log)
        XCTAssertLessThan(ContinuousClock.now - start, .seconds(10))
    }
}
