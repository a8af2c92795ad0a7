import Primitives
import SQLite
import Storage
import TestSupport
import XCTest

@testable import SQLStreams

/// What SQLite itself commits is sound, whatever it was.
final class SoundImageTests: XCTestCase {
    /// Enough time to come to the end of every step.
    static let patient = {
        var limits = ImageCheck.Limits()
        limits.time = .seconds(60)
        limits.quickCheckTimePerFrame = .seconds(1)
        return ImageCheck(limits: limits)
    }()

    private func assertSound(
        _ push: (base: MemoryPages, frames: [WALFrame]), _ what: String = "", line: UInt = #line
    ) throws {
        XCTAssertFalse(push.frames.isEmpty, what, line: line)
        XCTAssertEqual(
            try Self.patient.verdict(on: push.frames, over: push.base), .sound, what, line: line)
    }

    private static let filling = """
        CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT UNIQUE, v);
        CREATE INDEX t_v ON t(v, k);
        INSERT INTO t SELECT value, 'key ' || value, randomblob(value % 700)
            FROM generate_series(1, 3000);
        """

    func testStatementsOfAllKinds() throws {
        let client = try FrameClient(Self.filling)
        for sql in [
            "INSERT INTO t VALUES (9000, 'new', 1)",
            "UPDATE t SET v = randomblob(30) WHERE id % 10 = 0",
            "DELETE FROM t WHERE id BETWEEN 500 AND 1500",
            "INSERT INTO t SELECT value, 'again ' || value, randomblob(200) "
                + "FROM generate_series(10000, 12000)",
            "INSERT INTO t VALUES (-5, 'long', randomblob(1000000))",
            "UPDATE t SET v = randomblob(70000) WHERE id = -5",
            "DELETE FROM t WHERE id = -5",
            "INSERT INTO t VALUES (9223372036854775807, 'last', 0), "
                + "(-9223372036854775808, 'first', 0)",
            "CREATE TABLE u(a PRIMARY KEY, b) WITHOUT ROWID",
            "INSERT INTO u SELECT hex(randomblob(300)), value FROM generate_series(1, 400)",
            "ALTER TABLE t ADD COLUMN w DEFAULT 7",
            "ALTER TABLE t RENAME TO \"quoted \"\" name\"",
            "ALTER TABLE \"quoted \"\" name\" RENAME COLUMN v TO value",
            "CREATE VIEW w AS SELECT * FROM u; CREATE TRIGGER tr AFTER INSERT ON u "
                + "BEGIN DELETE FROM u WHERE b = 1; END",
            "CREATE TABLE IF NOT EXISTS [square](x INTEGER PRIMARY KEY AUTOINCREMENT, "
                + "y TEXT COLLATE nocase CHECK (length(y) > 0))",
            "INSERT INTO square(y) VALUES ('a')",
            "CREATE TABLE g(a INT, b INT GENERATED ALWAYS AS (a + 1) VIRTUAL NOT NULL)",
            "INSERT INTO g VALUES (1), (2)",
            "CREATE TABLE \"индекс\"(a) ; CREATE UNIQUE INDEX main.\"'x\" ON \"индекс\"(a)",
            "ANALYZE", "REINDEX", "PRAGMA user_version = 7",
            "DROP INDEX t_v", "DROP TABLE u", "PRAGMA incremental_vacuum", "VACUUM",
        ] {
            let push = try client.push(sql)
            if sql != "PRAGMA incremental_vacuum" { try assertSound(push, sql) }
        }
        XCTAssertEqual(try client.connection.queryText("PRAGMA integrity_check"), "ok")
    }

    func testALargeTransaction() throws {
        let client = try FrameClient("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        let rows = (1...2000).map { "INSERT INTO t VALUES (\($0), randomblob(3000));" }
        let push = try client.push("BEGIN;" + rows.joined() + "COMMIT")
        XCTAssertGreaterThan(push.frames.count, 2000)
        XCTAssertEqual(push.frames.filter { $0.databaseSize != 0 }.count, 1)
        try assertSound(push)
    }

    func testManyTransactionsOfWhichOneShrinks() throws {
        let client = try FrameClient(Self.filling)
        let push = try client.push(
            """
            DELETE FROM t WHERE id > 200; VACUUM;
            INSERT INTO t SELECT value, 'key ' || value, randomblob(300)
                FROM generate_series(1000, 4000);
            CREATE TABLE late(x); DROP INDEX t_v;
            """)
        let sizes = push.frames.map(\.databaseSize).filter { $0 != 0 }
        XCTAssertEqual(sizes.count, 5)
        XCTAssertLessThan(sizes[1], sizes[0])
        XCTAssertGreaterThan(sizes[2], sizes[1])
        try assertSound(push)
    }

    /// A cache of ten pages spills frames before the transaction ends, also such as its end cuts
    /// off again.
    func testSpilledFrames() throws {
        let client = try FrameClient(Self.filling)
        try client.connection.execute("PRAGMA cache_size = 10; PRAGMA cache_spill = 10")
        let spilled = try client.push(
            """
            BEGIN; UPDATE t SET v = randomblob(400); SAVEPOINT s;
            INSERT INTO t SELECT value, 'x' || value, randomblob(3000)
                FROM generate_series(20000, 20500);
            ROLLBACK TO s; DELETE FROM t WHERE id % 3 = 0; COMMIT
            """)
        let size = try XCTUnwrap(spilled.frames.last).databaseSize
        XCTAssertTrue(
            spilled.frames.contains { $0.page > max(size, spilled.base.databaseSize) })
        try assertSound(spilled)
        try assertSound(try client.push("DELETE FROM t WHERE id > 100"))
        let vacuum = try client.push("VACUUM")
        let end = try XCTUnwrap(vacuum.frames.last).databaseSize
        XCTAssertLessThan(end, vacuum.base.databaseSize)
        try assertSound(vacuum)
    }

    /// The first push to a database that was just made.
    func testTheFirstTable() throws {
        let client = try FrameClient()
        try assertSound(try client.push("PRAGMA user_version = 1"))
        try assertSound(try client.push("CREATE TABLE t(x)"))
        let fresh = try FrameClient("PRAGMA user_version = 0")
        XCTAssertEqual(fresh.base.databaseSize, 1)
        try assertSound(try fresh.push("CREATE TABLE t(x)"))
    }

    func testALargeSchema() throws {
        let client = try FrameClient()
        let text = String(repeating: "x", count: 9000)
        try assertSound(
            try client.push(
                "BEGIN;"
                    + (1...300).map { "CREATE TABLE t\($0)(a /* \(text) */, b UNIQUE);" }.joined()
                    + "COMMIT"))
        try assertSound(try client.push("INSERT INTO t77 VALUES (1, 2)"))
        try assertSound(try client.push("DROP TABLE t200"))
        try assertSound(try client.push("ALTER TABLE t3 RENAME TO t200"))
    }

    /// Random statements, each state over the one before.
    func testRandomCommits() throws {
        var random = SeededGenerator.announced(for: name)
        let client = try FrameClient(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, k, v); CREATE INDEX i ON t(k)")
        for _ in 0..<40 {
            let (id, count) = (random.number(-500...1500), random.number(1...150))
            let size = random.chance(10) ? random.number(1...30_000) : random.number(1...900)
            let sql =
                switch random.number(1...12) {
                case 1...5:
                    "INSERT OR REPLACE INTO t SELECT value, hex(randomblob(value % 90)),"
                        + " randomblob(\(size)) FROM generate_series(\(id), \(id + count))"
                case 6...8: "UPDATE t SET v = randomblob(\(size)) WHERE id % \(count) = 0"
                case 9...10: "DELETE FROM t WHERE id BETWEEN \(id) AND \(id + 3 * count)"
                case 11:
                    "CREATE TABLE IF NOT EXISTS t\(count % 20) AS SELECT * FROM t LIMIT \(count)"
                default: random.chance(2) ? "VACUUM" : "DROP TABLE IF EXISTS t\(count % 20)"
                }
            let push = try client.push(sql)
            if push.frames.isEmpty { continue }
            try assertSound(push, sql)
        }
    }

    /// When the time is over, what is not checked passes.
    func testNoTimeIsEnoughForWhatIsSound() throws {
        let client = try FrameClient(Self.filling)
        let push = try client.push("UPDATE t SET v = 1")
        var limits = ImageCheck.Limits()
        limits.time = .zero
        limits.walkTimePerFrame = .zero
        XCTAssertEqual(
            try ImageCheck(limits: limits).verdict(on: push.frames, over: push.base), .sound)
    }
}
