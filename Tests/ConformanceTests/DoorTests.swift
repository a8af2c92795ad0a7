import XCTest

/// What SQL from clients may not do, because replicas could not follow or the server could not go
/// on; docs/protocol.md, "What is refused".
final class DoorTests: ServerTestCase {
    private func assertRefused(
        _ database: TestDatabase, _ rows: [(sql: String, code: String)],
        file: StaticString = #filePath,
        line: UInt = #line
    ) throws {
        let revision = try database.pull().revision
        for row in rows {
            let failure = try database.failure(of: row.sql)
            XCTAssertEqual(failure?.code, row.code, row.sql, file: file, line: line)
            XCTAssertFalse(failure?.message.contains(server.folder.path) ?? true, row.sql)
        }
        XCTAssertEqual(try database.pull().revision, revision, file: file, line: line)
    }

    func testObjectsThatReplicasCannotHold() throws {
        let database = try makeDatabase("CREATE TABLE t(a, b)")
        let code = "UNSUPPORTED_BY_REPLICAS"
        try assertRefused(
            database,
            [
                ("CREATE VIRTUAL TABLE v USING fts5(x)", code),
                ("CREATE VIRTUAL TABLE v USING rtree(id, a, b)", code),
                ("CREATE TABLE g(a, b AS (a + 1) STORED)", code),
                ("ALTER TABLE t ADD COLUMN c COLLATE other", "SQLITE_ERROR_MISSING_COLLSEQ"),
                ("CREATE TABLE c(a COLLATE other)", "SQLITE_ERROR_MISSING_COLLSEQ"),
                ("CREATE TABLE turso_cdc(x)", code),
                ("CREATE TABLE turso_cdc_version(x)", code),
                ("CREATE TABLE __turso_internal_x(x)", code),
                ("CREATE TABLE IF NOT EXISTS TURSO_CDC(x)", code),
                ("ALTER TABLE t RENAME TO turso_cdc", code),
                ("CREATE INDEX __turso_internal_i ON t(a)", code),
                ("CREATE VIEW turso_cdc AS SELECT 1", code),
                ("PRAGMA encoding = 'UTF-16'", code),
                ("PRAGMA page_size = 1024", code),
                ("PRAGMA auto_vacuum = incremental", code),
            ])
        // Replicas make this one themselves.
        try database.sql(
            "CREATE TABLE turso_sync_last_change_id("
                + "client_id TEXT PRIMARY KEY, pull_gen, change_id)"
        )
        try database.sql("CREATE TABLE collated(a COLLATE NOCASE, b COLLATE RTRIM)")
        try database.sql("CREATE TABLE virtual_column(a, b AS (a + 1))")
    }

    func testADatabaseThatIsNotSyncedMayHoldThem() throws {
        let database = try makeDatabase()
        XCTAssertEqual(
            try database.admin("POST", "/config", body: Array(#"{"synced":false}"#.utf8)).text,
            #"{"strict_push":false,"synced":false,"frame_sync":true}"#)
        try database.sql("CREATE VIRTUAL TABLE v USING fts5(x)")
        try database.sql("INSERT INTO v VALUES('hello world')")
        XCTAssertEqual(
            try database.sql("SELECT x FROM v WHERE v MATCH 'world'").rows, [["hello world"]])
        try database.sql("CREATE TABLE g(a, b AS (a + 1) STORED)")
        let pull = try database.pullReply()
        XCTAssertEqual(pull.status, 409)
        XCTAssertTrue(pull.text.contains(#""code":"not_synced""#), pull.text)
    }

    func testADatabaseIsSyncedAgainOnlyIfReplicasCanHoldIt() throws {
        let database = try makeDatabase()
        func configure(_ isSynced: Bool) throws -> HTTPReply {
            try database.admin("POST", "/config", body: Array("{\"synced\":\(isSynced)}".utf8))
        }
        XCTAssertEqual(try configure(false).status, 200)
        try database.sql("CREATE VIRTUAL TABLE v USING fts5(x)")
        let refused = try configure(true)
        XCTAssertEqual(refused.status, 422)
        XCTAssertTrue(refused.text.contains(#""code":"not_syncable""#), refused.text)
        try database.sql("CREATE TABLE still_anything(a, b AS (a + 1) STORED)")
        try database.sql("DROP TABLE v")
        try database.sql("DROP TABLE still_anything")
        XCTAssertEqual(
            try configure(true).text, #"{"strict_push":false,"synced":true,"frame_sync":true}"#)
        XCTAssertEqual(
            try database.failure(of: "CREATE VIRTUAL TABLE w USING fts5(x)")?.code,
            "UNSUPPORTED_BY_REPLICAS")
        XCTAssertEqual(try database.pullReply().status, 200)
    }

    func testOtherFilesAndTheServersOwnBusiness() throws {
        let database = try makeDatabase("CREATE TABLE t(a)")
        let outside = server.folder.path("attached.db")
        try assertRefused(
            database,
            [
                ("ATTACH '\(outside)' AS x", "BLOCKED"),
                ("ATTACH ':memory:' AS x", "BLOCKED"),
                ("ATTACH '' AS x", "BLOCKED"),
                ("DETACH main", "BLOCKED"),
                ("VACUUM INTO '\(outside)'", "BLOCKED"),
                ("SELECT load_extension('\(outside)')", "BLOCKED"),
                ("PRAGMA journal_mode = DELETE", "BLOCKED"),
                ("PRAGMA temp.wal_checkpoint(TRUNCATE)", "BLOCKED"),
                ("PRAGMA wal_autocheckpoint = 1", "BLOCKED"),
                ("PRAGMA locking_mode = EXCLUSIVE", "BLOCKED"),
                ("PRAGMA synchronous = OFF", "BLOCKED"),
                ("PRAGMA writable_schema = ON", "BLOCKED"),
                ("PRAGMA query_only = OFF", "BLOCKED"),
                ("PRAGMA trusted_schema = ON", "BLOCKED"),
                ("PRAGMA temp_store_directory = '/'", "BLOCKED"),
                ("PRAGMA hard_heap_limit = 1", "BLOCKED"),
                ("PRAGMA shrink_memory", "BLOCKED"),
                ("PRAGMA incremental_vacuum", "BLOCKED"),
                ("PRAGMA made_up", "BLOCKED"),
            ])
        XCTAssertFalse(FileManager.default.fileExists(atPath: outside))
    }

    func testPragmasThatProgramsUse() throws {
        let database = try makeDatabase("CREATE TABLE t(a)", "PRAGMA user_version = 7")
        let rows: [(sql: String, expected: [[String]])] = [
            ("PRAGMA user_version", [["7"]]),
            ("PRAGMA journal_mode", [["wal"]]),
            ("PRAGMA journal_mode = WAL", [["wal"]]),
            ("PRAGMA page_size", [["4096"]]),
            ("PRAGMA encoding", [["UTF-8"]]),
            ("PRAGMA auto_vacuum", [["0"]]),
            ("PRAGMA integrity_check", [["ok"]]),
            ("PRAGMA quick_check", [["ok"]]),
            ("PRAGMA table_info(t)", [["0", "a", "", "0", "NULL", "0"]]),
            ("SELECT name FROM pragma_table_info('t')", [["a"]]),
            ("PRAGMA foreign_key_check", []),
        ]
        for row in rows { XCTAssertEqual(try database.sql(row.sql).rows, row.expected, row.sql) }
    }

    /// Connections are shared: nothing of one client's settings may reach the next.
    func testNothingOfOneRequestStaysForTheNext() throws {
        let database = try makeDatabase(
            "CREATE TABLE p(a PRIMARY KEY)", "CREATE TABLE c(a REFERENCES p(a))")
        _ = try database.pipeline(
            #"{"requests":[{"type":"sequence","sql":"PRAGMA foreign_keys = ON;"#
                + #"CREATE TEMP TABLE s(x); INSERT INTO s VALUES('secret'); BEGIN"}]}"#
        )
        for _ in 0..<8 {
            XCTAssertEqual(
                try database.failure(of: "SELECT * FROM s")?.message, "no such table: s")
        }
        try database.sql("CREATE TABLE s(x)")
        XCTAssertEqual(try database.sql("SELECT count(*) FROM s").rows, [["0"]])
        XCTAssertEqual(try database.sql("SELECT last_insert_rowid(), 1").rows, [["0", "1"]])
        let setting = try database.sql("PRAGMA foreign_keys").rows
        _ = try database.pipeline(
            #"{"requests":[{"type":"sequence","sql":"PRAGMA foreign_keys = ON"}]}"#)
        XCTAssertEqual(try database.sql("PRAGMA foreign_keys").rows, setting)
    }

    func testTheSchemaTableCannotBeWritten() throws {
        let database = try makeDatabase("CREATE TABLE t(a)")
        for sql in [
            "INSERT INTO sqlite_schema VALUES('table','x','x',0,'CREATE TABLE x(a)')",
            "UPDATE sqlite_schema SET sql = ''", "DELETE FROM sqlite_schema",
            "DROP TABLE sqlite_schema",
        ] {
            XCTAssertNotNil(try database.failure(of: sql), sql)
        }
        XCTAssertEqual(try database.sql("SELECT name FROM sqlite_schema").rows, [["t"]])
    }
}
