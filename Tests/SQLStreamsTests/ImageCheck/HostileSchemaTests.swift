import Primitives
import SQLite
import Storage
import XCTest

@testable import SQLStreams

/// Schemas that replicas cannot hold, or that are not what they say.
final class HostileSchemaTests: XCTestCase {
    private static let start = """
        CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'one');
        CREATE INDEX i ON t(v);
        """

    private func verdict(of sql: String) throws -> ImageVerdict {
        let client = try FrameClient(Self.start)
        let push = try client.push(sql)
        XCTAssertFalse(push.frames.isEmpty, sql)
        return try ImageCheck().verdict(on: push.frames, over: push.base)
    }

    private func assertRefused(
        _ sql: String, _ problem: String, line: UInt = #line
    ) throws {
        switch try verdict(of: sql) {
        case .sound: XCTFail("taken for sound: \(sql)", line: line)
        case .refused(let problems):
            XCTAssertTrue(
                problems.contains { $0.contains(problem) }, "\(problems)\n\(sql)", line: line)
        }
    }

    /// Puts a row into the schema as it is.
    private func row(
        _ type: String, _ name: String, table: String? = nil, root: String = "0", _ sql: String?
    ) -> String {
        func quoted(_ text: String) -> String {
            "'" + text.replacing("'", with: "''") + "'"
        }
        return "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ("
            + [quoted(type), quoted(name), quoted(table ?? name), root, sql.map(quoted) ?? "NULL"]
            .joined(separator: ", ") + ");"
    }

    /// A row for a tree that exists: the one of a table that is forgotten.
    private func tableRow(_ name: String, _ sql: String) -> String {
        """
        CREATE TABLE spare(a, b); PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET name = '\(name)', tbl_name = '\(name)',
            sql = '\(sql.replacing("'", with: "''"))' WHERE name = 'spare';
        """
    }

    func testObjectsThatReplicasCannotHold() throws {
        for (sql, problem) in [
            ("CREATE TABLE s(a, b GENERATED ALWAYS AS (a + 1) STORED)", "STORED generated column"),
            ("CREATE TABLE turso_cdc(a)", "reserved"),
            ("CREATE VIEW Turso_CDC AS SELECT 1", "reserved"),
            ("CREATE TABLE __turso_internal_x(a)", "reserved"),
            ("CREATE TABLE v(a) ; CREATE INDEX __TURSO_INTERNAL_i ON v(a)", "reserved"),
            (tableRow("c", "CREATE TABLE c(a COLLATE german, b)"), "the collation german"),
            (
                tableRow("c", "CREATE TABLE c(a GENERATED ALWAYS AS (1) STORED, b)"),
                "STORED generated column"
            ),
            (row("table", "f", "CREATE VIRTUAL TABLE f USING fts5(a)"), "f is a virtual table"),
            (
                row("table", "f", "create  virtual\ntable IF not EXISTS [f] USING nothing"),
                "f is a virtual table"
            ),
            (
                tableRow("f", "CREATE VIRTUAL TABLE f USING fts5(a)"), "f is a virtual table"
            ),
        ] {
            try assertRefused(sql, problem)
        }
    }

    /// The library's own virtual tables, made by SQL.
    func testVirtualTablesMadeBySQL() throws {
        try assertRefused("CREATE VIRTUAL TABLE f USING fts5(a)", "f is a virtual table")
        try assertRefused("CREATE VIRTUAL TABLE r USING rtree(a, b, c)", "r is a virtual table")
    }

    func testADatabaseInAnotherEncoding() throws {
        for encoding in ["UTF-16le", "UTF-16be"] {
            let client = try FrameClient(encoding: encoding)
            let push = try client.push("CREATE TABLE u(a)")
            XCTAssertTrue(try client.connection.queryText("PRAGMA encoding") == encoding)
            XCTAssertEqual(
                try ImageCheck().verdict(on: push.frames, over: push.base),
                .refused(["the text encoding is \(encoding); replicas hold UTF-8"]))
        }
    }

    /// What the columns say and what the statement says are two things.
    func testEntriesThatContradictThemselves() throws {
        let contradiction = "contradicts itself"
        for sql in [
            tableRow("innocent", "CREATE TABLE evil(a GENERATED ALWAYS AS (1) STORED, b)"),
            tableRow("innocent", "CREATE VIEW innocent AS SELECT 1"),
            tableRow("innocent", "CREATE INDEX innocent ON t(v)"),
            tableRow("innocent", "INSERT INTO innocent VALUES (1)"),
            tableRow("innocent", "CREATE TABLE main.innocent(a)"),
            tableRow("innocent", "CREATE TABLE \"innocent"), tableRow("innocent", "CREATE TABLE"),
            tableRow("innocent", ""), tableRow("innocent", "CREATE TEMP TABLE innocent(a)"),
            row("view", "w", "CREATE VIRTUAL TABLE w USING fts5(a)"),
            row("view", "w", "CREATE TABLE w(a GENERATED ALWAYS AS (1) STORED)"),
            row("view", "w", "CREATE VIEW x AS SELECT 1"), row("view", "w", nil),
            row("trigger", "w", table: "t", "CREATE VIEW w AS SELECT 1"),
            row("else", "w", "CREATE VIEW w AS SELECT 1"), row("index", "w", table: "t", nil),
        ] {
            try assertRefused(sql, contradiction)
        }
    }

    func testTreesAndNames() throws {
        let view = "CREATE VIEW w AS SELECT 1"
        for (sql, problem) in [
            (row("table", "u", root: "2", "CREATE TABLE u(a)"), "no tree of its own"),
            (row("table", "u", root: "1", "CREATE TABLE u(a)"), "no tree of its own"),
            (row("table", "u", root: "0", "CREATE TABLE u(a)"), "no tree of its own"),
            (row("view", "w", root: "2", view), "no tree of its own"),
            (row("table", "u", root: "99", "CREATE TABLE u(a)"), "invalid rootpage"),
            (row("table", "u", root: "4294967295", "CREATE TABLE u(a)"), "invalid rootpage"),
            (row("table", "u", root: "4294967296", "CREATE TABLE u(a)"), "cannot be read"),
            (row("table", "u", root: "-2", "CREATE TABLE u(a)"), "cannot be read"),
            (row("table", "u", root: "2.5", "CREATE TABLE u(a)"), "cannot be read"),
            (row("table", "u", root: "'x'", "CREATE TABLE u(a)"), "cannot be read"),
            (row("table", "u", root: "x'00'", "CREATE TABLE u(a)"), "cannot be read"),
            (row("view", "w", view) + row("view", "W", "CREATE VIEW W AS SELECT 2"), "two entries"),
            (row("view", "T", "CREATE VIEW T AS SELECT 2"), "two entries"),
            (
                "CREATE INDEX j ON t(v); PRAGMA writable_schema = ON; UPDATE sqlite_schema SET "
                    + "rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 't') "
                    + "WHERE name = 'j'; DELETE FROM sqlite_schema WHERE name IN ('t', 'i')",
                "the schema cannot be read"
            ),
            (
                "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 5 - rootpage",
                "wrong kind"
            ),
        ] {
            try assertRefused(sql, problem)
        }
    }

    /// SQLite's connections would go on with the schema that they know.
    func testTheCookieSaysThatTheSchemaChanged() throws {
        let client = try FrameClient(Self.start)
        let cookie = try XCTUnwrap(client.connection.queryInteger("PRAGMA schema_version"))
        for (sql, problem) in [
            ("CREATE TABLE u(a); PRAGMA schema_version = \(cookie)", "its cookie did not"),
            (
                "DROP INDEX i; CREATE INDEX j ON t(v); PRAGMA schema_version = \(cookie)",
                "its cookie did not"
            ),
            ("PRAGMA schema_version = \(cookie - 1)", "goes back"),
            ("CREATE TABLE u(a); PRAGMA schema_version = \(cookie - 1)", "goes back"),
        ] {
            try assertRefused(sql, problem)
        }
        for sql in ["CREATE TABLE u(a)", "PRAGMA schema_version = 2147483647", "VACUUM"] {
            XCTAssertEqual(try verdict(of: sql), .sound, sql)
        }
        // It wraps around.
        let push = try client.push("PRAGMA schema_version = 2147483647")
        XCTAssertEqual(try ImageCheck().verdict(on: push.frames, over: push.base), .sound)
        let wrap = try client.push("CREATE TABLE u(a)")
        XCTAssertEqual(try ImageCheck().verdict(on: wrap.frames, over: wrap.base), .sound)
    }

    func testStatementsThatSQLiteCannotParse() throws {
        for sql in [
            tableRow("u", "CREATE TABLE u(a, a)"), tableRow("u", "CREATE TABLE u AS SELECT 1"),
            tableRow("u", "CREATE TABLE u(a) nonsense"), tableRow("u", "CREATE TABLE u("),
            tableRow("u", "CREATE TABLE u(a CHECK (" + String(repeating: "(", count: 5000)),
            tableRow("u", "CREATE TABLE u(a DEFAULT \(String(repeating: "-", count: 9000))1)"),
            row("trigger", "w", table: "t", "CREATE TRIGGER w AFTER INSERT ON t BEGIN SELECT"),
            "CREATE INDEX j ON t(v); PRAGMA writable_schema = ON; "
                + "DELETE FROM sqlite_schema WHERE name = 't'",
        ] {
            try assertRefused(sql, "the schema cannot be read")
        }
    }

    /// They would be found by the next SQL that writes to the table.
    func testFunctionsAndCollationsThatAreNotKnownHere() throws {
        let index = "CREATE INDEX j ON t(v); PRAGMA writable_schema = ON; UPDATE sqlite_schema SET "
        for (sql, problem) in [
            (
                index + "sql = 'CREATE INDEX j ON t(libsql_vector_idx(v))' WHERE name = 'j'",
                "t cannot be written to: unknown function: libsql_vector_idx()"
            ),
            (
                index + "sql = 'CREATE INDEX j ON t(v) WHERE near(v)' WHERE name = 'j'",
                "t cannot be written to: unknown function: near()"
            ),
            (
                tableRow("u", "CREATE TABLE u(a, b AS (near(a)))"),
                "u cannot be written to: unknown function: near()"
            ),
        ] {
            try assertRefused(sql, problem)
        }
    }

    /// Each view reads the one before twice.
    func testViewsAreNotExpanded() throws {
        let sql = (1...50).map {
            row("view", "v\($0)", "CREATE VIEW v\($0) AS SELECT * FROM v\($0 - 1), v\($0 - 1)")
        }
        let clock = ContinuousClock()
        let time = try clock.measure {
            XCTAssertEqual(try verdict(of: "CREATE TABLE v0(a);" + sql.joined()), .sound)
        }
        XCTAssertLessThan(time, .seconds(5))
    }

    /// A CHECK or a generated column may call anything on every row, which nothing would stop.
    func testExpressionsAreNotEvaluated() throws {
        let endless = "instr(zeroblob(60000000), zeroblob(30000000) || x'01')"
        let insert = "INSERT INTO u VALUES (1, 2), (3, 4);"
        for columns in [
            "a CHECK (\(endless)), b", "a, b, c GENERATED ALWAYS AS (\(endless)) NOT NULL",
            "a, b, c AS (\(endless)) NOT NULL, d INT NOT NULL DEFAULT 1",
        ] {
            let client = try FrameClient(Self.start)
            let rows = "CREATE TABLE u(a, b); INSERT INTO u VALUES (1, 2), (3, 4);"
            let change = """
                PRAGMA writable_schema = ON; UPDATE sqlite_schema
                SET sql = 'CREATE TABLE u(\(columns.replacing("'", with: "''")))' WHERE name = 'u';
                """
            let push = try client.push(rows + change + insert)
            let time = try ContinuousClock().measure {
                XCTAssertEqual(
                    try SoundImageTests.patient.verdict(on: push.frames, over: push.base),
                    .sound, columns)
            }
            XCTAssertLessThan(time, .seconds(5), columns)
        }
    }

    func testALimitToTheSchema() throws {
        var limits = ImageCheck.Limits()
        limits.schemaSize = 100_000
        let client = try FrameClient(Self.start)
        let text = String(repeating: "x", count: 60_000)
        let small = try client.push("CREATE VIEW a AS SELECT '\(text)'")
        XCTAssertEqual(
            try ImageCheck(limits: limits).verdict(on: small.frames, over: small.base), .sound)
        let large = try client.push("CREATE VIEW b AS SELECT '\(text)'")
        XCTAssertEqual(
            try ImageCheck(limits: limits).verdict(on: large.frames, over: large.base),
            .refused(["the schema is too large"]))
    }

    /// A schema that is as large as it may be, of the most expensive kind.
    func testASchemaThatTakesTooLong() throws {
        var limits = ImageCheck.Limits()
        limits.schemaTime = .zero
        let client = try FrameClient(Self.start)
        let views = (1...2000).map { "CREATE VIEW v\($0) AS SELECT 1;" }.joined()
        let push = try client.push("BEGIN;" + views + "COMMIT")
        XCTAssertEqual(
            try ImageCheck(limits: limits).verdict(on: push.frames, over: push.base),
            .refused(["the schema takes too long to check"]))
        XCTAssertEqual(try ImageCheck().verdict(on: push.frames, over: push.base), .sound)
    }

    /// What was there before the push is not the push's fault, and costs it nothing.
    func testAnUnchangedSchemaIsNotJudgedAgain() throws {
        let client = try FrameClient(
            Self.start + "CREATE TABLE s(a, b GENERATED ALWAYS AS (a + 1) STORED)")
        let push = try client.push("INSERT INTO t VALUES (2, 'two')")
        XCTAssertEqual(try ImageCheck().verdict(on: push.frames, over: push.base), .sound)
    }

    func testRowsOfTheSchema() {
        func record(_ header: [UInt8], _ content: [UInt8]) -> [UInt8] { header + content }
        let name = Array("view".utf8) + [0x77, 0x77]
        let good = record([6, 21, 15, 15, 8, 15], name + [0x73])
        XCTAssertEqual(
            SchemaRow(record: good),
            SchemaRow(type: Array("view".utf8), name: [0x77], table: [0x77], root: 0, sql: [0x73]))
        for length in 0..<good.count { XCTAssertNil(SchemaRow(record: Array(good.prefix(length)))) }
        for (header, content) in [
            ([6, 20, 15, 15, 8, 15], name), ([6, 21, 15, 15, 7, 15], name),
            ([6, 21, 15, 15, 10, 15], name), ([6, 0, 15, 15, 8, 15], name),
            ([5, 21, 15, 15, 8], name), ([7, 21, 15, 15, 8, 15, 0], name),
            ([6, 21, 15, 15, 8, 0xFF], name), ([200, 21, 15, 15, 8, 15], name),
        ] as [([UInt8], [UInt8])] {
            XCTAssertNil(SchemaRow(record: record(header, content + [0x73])), "\(header)")
        }
    }
}
