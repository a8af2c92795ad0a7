import Foundation
import Primitives
import SQLite
import WireProtocol
import XCTest

@testable import SQLStreams

/// What clients may not do, and what a database may not hold while replicas pull it.
final class DoorTests: XCTestCase {
    func testWhatReplicasCannotHoldIsRefused() throws {
        let schema = "CREATE TABLE t(a); CREATE TABLE turso_sync_last_change_id(client_id)"
        let statements = [
            "CREATE VIRTUAL TABLE f USING fts5(x)", "CREATE VIRTUAL TABLE temp.f USING fts5(x)",
            "CREATE VIRTUAL TABLE IF NOT EXISTS r USING rtree(id, a, b)",
            "CREATE TABLE turso_cdc(a)", "CREATE TABLE TURSO_CDC_version(a)",
            "CREATE TABLE \"__Turso_Internal_x\"(a)", "CREATE TABLE main.turso_cdc AS SELECT 1",
            "CREATE INDEX __turso_internal_i ON t(a)", "CREATE VIEW turso_cdc AS SELECT 1",
            "ALTER TABLE t RENAME TO turso_cdc", "ALTER TABLE t RENAME TO __turso_internal_t",
            "CREATE TABLE s(a, b AS (a + 1) STORED)",
            "CREATE TABLE IF NOT EXISTS s(a, b INT GENERATED ALWAYS AS (a) STORED)",
            "PRAGMA encoding = 'UTF-16'", "PRAGMA page_size = 512", "PRAGMA auto_vacuum = 2",
        ]
        for sql in statements {
            let fixture = try SQLFixture(schema)
            let before = try fixture.text("SELECT group_concat(sql) FROM sqlite_schema")
            let result = try fixture.execute(sql)
            XCTAssertEqual(result.code, "UNSUPPORTED_BY_REPLICAS", sql)
            XCTAssertGreaterThan(result.message?.count ?? 0, 20, sql)
            XCTAssertEqual(
                try fixture.text("SELECT group_concat(sql) FROM sqlite_schema"), before, sql)

            // Inside a transaction only the statement is taken back.
            let batch = try fixture.batch([
                .step("BEGIN"), .step("INSERT INTO t VALUES (1)"), .step(sql), .step("COMMIT"),
            ])
            XCTAssertEqual(batch.pattern, "++-+", sql)
            XCTAssertEqual(try fixture.text("SELECT count(*) FROM t"), "1", sql)

            fixture.options.isSynced = false
            if !sql.hasPrefix("PRAGMA") {
                XCTAssertNil(try fixture.execute(sql).message, sql)
            }
        }
    }

    func testWhatReplicasCanHoldIsAllowed() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        for sql in [
            "CREATE TABLE turso_sync_last_change_id(client_id TEXT PRIMARY KEY)",
            "CREATE TABLE IF NOT EXISTS turso_sync_last_change_id(client_id TEXT PRIMARY KEY)",
            "CREATE TABLE turso_cdc2(a)", "CREATE TABLE v(a, b AS (a + 1) VIRTUAL)",
            "CREATE TABLE n(a COLLATE nocase, b COLLATE \"RTRIM\")",
            "CREATE INDEX i ON n(a COLLATE binary)",
            "CREATE VIEW w AS SELECT * FROM t", "ALTER TABLE t ADD COLUMN b",
            "ALTER TABLE t RENAME TO t2",
            "CREATE TRIGGER g AFTER INSERT ON t2 BEGIN DELETE FROM n; END", "DROP TRIGGER g",
            "CREATE TABLE wr(a PRIMARY KEY) WITHOUT ROWID", "DROP TABLE n", "DROP VIEW w",
        ] {
            XCTAssertNil(try fixture.execute(sql).message, sql)
        }
        let failing = try fixture.execute("ALTER TABLE t2 ADD COLUMN b")
        XCTAssertEqual(failing.message, "duplicate column name: b")
    }

    /// A database that was not always synced may hold such objects; they must not block others.
    func testAnOldProblemDoesNotRefuseANewTable() throws {
        let fixture = try SQLFixture("CREATE TABLE turso_cdc(a)")
        XCTAssertNil(try fixture.execute("CREATE TABLE t(a)").message)
        XCTAssertNil(try fixture.execute("INSERT INTO t VALUES (1)").message)
        XCTAssertEqual(
            try fixture.execute("CREATE TABLE turso_cdc_version(a)").code,
            "UNSUPPORTED_BY_REPLICAS")
        XCTAssertNil(try fixture.execute("DROP TABLE turso_cdc").message)
    }

    func testBlockedStatements() throws {
        for isSynced in [true, false] {
            let fixture = try SQLFixture("CREATE TABLE t(a)")
            fixture.options.isSynced = isSynced
            for sql in [
                "ATTACH ':memory:' AS x", "ATTACH '' AS x", "DETACH main",
                "SELECT load_extension('x')", "VACUUM INTO 'copy.db'", "VACUUM main INTO 'c'",
                "PRAGMA synchronous = OFF",
                "PRAGMA journal_mode = DELETE", "PRAGMA writable_schema = ON",
                "PRAGMA wal_autocheckpoint = 0", "PRAGMA trusted_schema = ON",
                "PRAGMA schema_version = 9", "PRAGMA query_only = OFF",
                "PRAGMA locking_mode = EXCLUSIVE",
                "PRAGMA case_sensitive_like = ON", "PRAGMA temp_store_directory = '/'",
                "PRAGMA mmap_size = 1", "PRAGMA main.synchronous = 0",
                "PRAGMA incremental_vacuum", "PRAGMA shrink_memory",
            ] {
                XCTAssertEqual(try fixture.execute(sql).code, "BLOCKED", sql)
            }
        }
    }

    func testAllowedPragmas() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a); CREATE INDEX i ON t(a)")
        for sql in [
            "PRAGMA table_info(t)", "PRAGMA table_xinfo(t)", "PRAGMA table_list",
            "PRAGMA index_list(t)", "PRAGMA index_info(i)", "PRAGMA index_xinfo(i)",
            "PRAGMA foreign_key_list(t)", "PRAGMA Foreign_Keys", "PRAGMA foreign_keys = 1",
            "PRAGMA user_version = 3", "PRAGMA user_version", "PRAGMA application_id",
            "PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA schema_version",
            "PRAGMA encoding", "PRAGMA page_size", "PRAGMA auto_vacuum", "PRAGMA journal_mode",
            "PRAGMA journal_mode = WAL", "PRAGMA integrity_check", "PRAGMA quick_check(3)",
            "PRAGMA foreign_key_check", "PRAGMA function_list", "PRAGMA collation_list",
            "PRAGMA database_list", "PRAGMA compile_options", "PRAGMA defer_foreign_keys = ON",
            "PRAGMA recursive_triggers", "PRAGMA optimize", "PRAGMA data_version",
            "SELECT name FROM pragma_table_info('t')",
        ] {
            XCTAssertNil(try fixture.execute(sql).message, sql)
        }
        XCTAssertEqual(try fixture.text("PRAGMA user_version"), "3")
        XCTAssertEqual(
            try fixture.execute("SELECT * FROM pragma_synchronous").message, nil)
    }

    func testTheCheckOfAWholeDatabase() throws {
        let connection = try Connection(path: ":memory:", mode: .create)
        try connection.execute(
            """
            PRAGMA page_size = 8192; PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = 2;
            CREATE TABLE ok(a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT COLLATE NOCASE UNIQUE);
            CREATE VIRTUAL TABLE f USING fts5(x);
            CREATE TABLE s(a, b AS (a) STORED, c AS (a) VIRTUAL);
            CREATE TABLE __turso_internal_seq(a);
            CREATE TABLE w(a PRIMARY KEY) WITHOUT ROWID;
            CREATE TABLE c(a); CREATE TABLE d(a); CREATE INDEX di ON d(a);
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = 'CREATE TABLE c(a COLLATE mine)' WHERE name = 'c';
            UPDATE sqlite_schema SET sql = 'CREATE INDEX di ON d(a COLLATE other)'
                WHERE name = 'di';
            PRAGMA writable_schema = RESET;
            """)
        let problems = try ReplicaCompatibility.check(connection)
        let texts = problems.map { ($0.severity == .fatal ? "! " : "? ") + $0.description }
        for start in [
            "! the page size is 8192", "! the text encoding is UTF-16le", "! auto_vacuum is incr",
            "! the name __turso_internal_seq", "! f is a virtual table", "! s.b is a STORED",
            "! c.a uses the collation mine",
            "! the index di uses the collation other", "? s.c is a VIRTUAL",
            "? w is a WITHOUT ROWID",
        ] {
            XCTAssertEqual(texts.filter { $0.hasPrefix(start) }.count, 1, "\(start) in \(texts)")
        }
        XCTAssertFalse(texts.contains { $0.contains(" ok ") || $0.hasPrefix("! ok") }, "\(texts)")

        let clean = try Connection(path: ":memory:", mode: .create)
        try clean.execute("CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b UNIQUE)")
        XCTAssertEqual(try ReplicaCompatibility.check(clean), [])
    }
}
