import Foundation
import Primitives
import SQLite
import XCTest

@testable import Storage

/// Every transaction that reaches the WAL becomes one revision, whatever way it ended.
final class CommitTests: XCTestCase {
    private var fixture: StorageFixture!

    override func setUpWithError() throws {
        fixture = try StorageFixture()
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
    }

    override func tearDown() { fixture.tearDown() }

    private func headCommit() throws -> UInt64 {
        try fixture.acquire().database.head.revision.commit.rawValue
    }

    /// The head must hold what SQLite reads, and a restart must count the same commits.
    private func checkHead(line: UInt = #line) throws {
        let database = try fixture.acquire().database
        let head = database.head
        let image = try fixture.image(of: database.snapshot())
        let count = try fixture.query("SELECT count(*) FROM t")
        try fixture.withImage(image) { connection in
            XCTAssertEqual(
                try connection.queryInteger("SELECT count(*) FROM t"), count, line: line)
            XCTAssertEqual(
                try connection.queryText("PRAGMA integrity_check"), "ok", line: line)
        }
        try fixture.reopen()
        let reopened = try fixture.acquire().database
        XCTAssertEqual(reopened.head.revision, head.revision, line: line)
        XCTAssertEqual(try fixture.image(of: reopened.snapshot()) == image, true, line: line)
    }

    private func write(_ body: @escaping @Sendable (Connection) throws -> Void) throws {
        let lease = try fixture.acquire()
        try fixture.write(lease.database) { session in
            try session.prepareToWrite()
            try body(session.connection)
        }
        fixture.drainWriter(lease.database)
    }

    /// SQLite calls no WAL hook for it.
    func testAStatementThatFailsMayCommitARow() throws {
        let before = try headCommit()
        try write { connection in
            XCTAssertThrowsError(
                try connection.execute("INSERT OR FAIL INTO t (id) VALUES (1), (2), (2), (3)"))
        }
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 2)
        XCTAssertEqual(try headCommit(), before + 1)
        try checkHead()
    }

    func testAStatementThatIsLetGoEarlyCommits() throws {
        let before = try headCommit()
        try write { connection in
            for _ in 0..<2 {
                let statement = try connection.prepare(
                    "INSERT INTO t (v) VALUES (1), (2) RETURNING id")
                XCTAssertTrue(try statement.step())
            }
        }
        XCTAssertEqual(try headCommit(), before + 2)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 4)
        try checkHead()
    }

    func testAClientsCommitWhileItReads() throws {
        let before = try headCommit()
        try write { connection in
            try connection.execute("INSERT INTO t (v) VALUES (1), (2)")
            let rows = try connection.prepare("SELECT id FROM t")
            XCTAssertTrue(try rows.step())
            try connection.execute("INSERT INTO t (v) VALUES (3)")
            XCTAssertTrue(try rows.step())
        }
        XCTAssertEqual(try headCommit(), before + 2)
        try checkHead()
    }

    private static let spill = """
        INSERT INTO t (v) SELECT randomblob(3000) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8)),
            (VALUES (1), (2), (3), (4), (5), (6), (7), (8));
        """

    func testATransactionLargerThanTheCacheCommits() throws {
        let before = try headCommit()
        try fixture.execute("PRAGMA cache_size = 4; BEGIN; \(Self.spill) COMMIT")
        XCTAssertEqual(try headCommit(), before + 1)
        try checkHead()
    }

    func testATransactionLargerThanTheCacheRollsBackAndTheNextOneCommits() throws {
        let before = try headCommit()
        try fixture.execute("PRAGMA cache_size = 4; BEGIN; \(Self.spill) ROLLBACK")
        XCTAssertEqual(try headCommit(), before)
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(9000))")
        XCTAssertEqual(try headCommit(), before + 1)
        try checkHead()
    }

    /// SQLite writes over frames of the same transaction, and computes their checksums again.
    func testSavepointsOfATransactionLargerThanTheCache() throws {
        let before = try headCommit()
        try fixture.execute(
            """
            PRAGMA cache_size = 4; BEGIN; \(Self.spill)
            SAVEPOINT a; UPDATE t SET v = randomblob(2500); \(Self.spill) ROLLBACK TO a;
            UPDATE t SET v = randomblob(100) WHERE id % 2 = 0;
            SAVEPOINT b; \(Self.spill) RELEASE b; DELETE FROM t WHERE id % 5 = 0; COMMIT
            """)
        XCTAssertEqual(try headCommit(), before + 1)
        try checkHead()
    }

    /// The same where the WAL starts over within the transaction.
    func testSpillsAndRollbacksAtTheStartOfAWAL() throws {
        fixture.tearDown()
        var options = StorageOptions()
        options.minCheckpointPageCount = 1
        fixture = try StorageFixture(options: options)
        try fixture.execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB); PRAGMA cache_size = 4")
        for round in 0..<4 {
            let before = try headCommit()
            try fixture.execute("BEGIN; \(Self.spill) ROLLBACK")
            XCTAssertEqual(try headCommit(), before)
            if round % 2 == 0 { try checkHead() }
            try fixture.execute(
                "BEGIN; \(Self.spill) SAVEPOINT a; \(Self.spill) ROLLBACK TO a; COMMIT")
            XCTAssertEqual(try headCommit(), before + 1)
            try fixture.execute("DELETE FROM t WHERE id % 3 = 0")
            XCTAssertEqual(try headCommit(), before + 2)
            try checkHead()
        }
    }

    func testVacuumIsOneCommitAndAReplacedConnectionIsHeardToo() throws {
        try fixture.execute("\(Self.spill) DELETE FROM t WHERE id % 2 = 0")
        let before = try headCommit()
        try fixture.execute("VACUUM")
        XCTAssertEqual(try headCommit(), before + 1)
        let lease = try fixture.acquire()
        try fixture.write(lease.database) { session in
            try session.prepareToWrite()
            try session.connection.execute("CREATE TEMP TABLE x (a)")
            try session.replaceConnection()
            XCTAssertThrowsError(try session.connection.execute("SELECT * FROM x"))
            try session.connection.execute("INSERT INTO t (v) VALUES (1)")
        }
        XCTAssertEqual(try headCommit(), before + 2)
        try checkHead()
    }

    func testReadersCannotWrite() throws {
        XCTAssertThrowsError(try fixture.query("INSERT INTO t (v) VALUES (1) RETURNING id"))
    }
}
