import Foundation
import Primitives
import SQLite
import XCTest

@testable import Storage

/// Transactions that keep the writer over several jobs.
final class HoldingTests: XCTestCase {
    private var fixture: StorageFixture!
    private var lease: DatabaseLease!

    override func setUpWithError() throws {
        fixture = try StorageFixture()
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        lease = try fixture.acquire()
    }

    override func tearDown() {
        FileOperationHook.handler = nil
        lease = nil
        fixture.tearDown()
    }

    private typealias Held = Result<WriterHold, StorageError>

    /// Runs SQL and holds the writer; rolls back if it cannot.
    private static func step(_ sql: String, _ session: WriterSession, closed: Box<Void>) -> Held {
        do throws(StorageError) {
            try session.prepareToWrite()
            try? session.connection.execute(sql)
            return .success(try session.hold { closed.set(()) })
        } catch {
            try? session.connection.execute("ROLLBACK")
            return .failure(error)
        }
    }

    private func begin(_ sql: String, closed: Box<Void> = Box()) throws -> WriterHold {
        let box = Box<Result<Held, StorageError>>()
        lease.database.write(
            { Self.step("BEGIN; " + sql, $0, closed: closed) }, completion: { box.set($0) })
        return try box.wait().get().get()
    }

    private func goOn(_ hold: WriterHold, _ sql: String) throws -> WriterHold {
        let box = Box<Result<Held, StorageError>>()
        lease.database.resume(
            hold, { Self.step(sql, $0, closed: Box()) }, refused: { box.set(.failure($0)) },
            completion: { box.set($0) })
        return try box.wait().get().get()
    }

    private func end(_ hold: WriterHold, _ sql: String) throws {
        let box = Box<Result<Result<Void, any Error>, StorageError>>()
        lease.database.resume(
            hold, { session in Result { try session.connection.execute(sql) } },
            refused: { box.set(.failure($0)) }, completion: { box.set($0) })
        try box.wait().get().get()
    }

    func testNobodySeesItAndNobodyWritesUntilItEnds() throws {
        let database = lease.database
        let before = database.head.revision
        var hold = try begin("INSERT INTO t (v) SELECT zeroblob(4000) FROM generate_series(1, 50)")
        let order = Counter()
        let (other, checkpoint) = (Box<Int>(), Box<Int>())
        database.write(
            { _ in order.next() }, completion: { other.set((try? $0.get()) ?? -1) })
        database.checkpoint(.truncate) { _ in checkpoint.set(order.next()) }
        for row in 100..<110 { hold = try goOn(hold, "INSERT INTO t VALUES (\(row), 1)") }
        XCTAssertEqual(database.head.revision, before)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
        XCTAssertEqual(order.value, 0)
        try end(hold, "COMMIT")
        XCTAssertEqual([other.wait(), checkpoint.wait()], [1, 2])
        XCTAssertEqual(database.head.revision.commit, before.commit.next)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 60)
    }

    /// What the same request committed before does not wait for the transaction's end.
    func testACommitBeforeItIsFlushedAndAcknowledged() throws {
        let before = lease.database.head.revision
        let hold = try begin(Self.commitAndBegin)
        XCTAssertEqual(lease.database.head.revision.commit, before.commit.next)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 1)
        try end(hold, "ROLLBACK")
        XCTAssertEqual(lease.database.head.revision.commit, before.commit.next)
    }

    private static let commitAndBegin =
        "INSERT INTO t VALUES (1, 1); COMMIT; BEGIN; INSERT INTO t VALUES (2, 2)"

    func testAFlushThatFailsEndsIt() throws {
        let before = lease.database.head.revision
        let closed = Box<Void>()
        let box = Box<Result<Held, StorageError>>()
        let disk = HeldFlush(fixture.directory)
        lease.database.write(
            { Self.step("BEGIN; " + Self.commitAndBegin, $0, closed: closed) },
            completion: { box.set($0) })
        disk.awaitBegin()
        disk.end(.fails(EIO))
        XCTAssertThrowsError(try box.wait().get()) { error in
            guard case StorageError.databaseFailed = error else { return XCTFail("\(error)") }
        }
        closed.wait()
        fixture.drainWriter(lease.database)
        FileOperationHook.handler = nil
        lease = nil
        lease = try fixture.acquire()
        XCTAssertEqual(lease.database.head.revision, before)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
    }

    func testClosingRollsItBack() throws {
        let closed = Box<Void>()
        let hold = try begin("INSERT INTO t VALUES (1, 1)", closed: closed)
        let database = lease.database
        fixture.close()
        closed.wait()
        XCTAssertThrowsError(try end(hold, "COMMIT")) { error in
            guard case StorageError.closed = error else { return XCTFail("\(error)") }
        }
        XCTAssertTrue(database.isClosing)
        lease = nil
        try fixture.open()
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
        lease = try fixture.acquire()
    }

    /// A transaction that outgrows the cache writes to the WAL before its COMMIT.
    func testAFaultyDiskEndsItWithTheDatabase() throws {
        for isFirst in [true, false] {
            let before = lease.database.head.revision
            let grow = "INSERT INTO t (v) SELECT randomblob(4000) FROM generate_series(1, 200)"
            let hold = isFirst ? nil : try begin("PRAGMA cache_size = 10; SELECT * FROM t")
            FileOperationHook.handler = { event in
                guard event.path.hasSuffix("-wal"), case .write = event.operation else {
                    return .goesOn
                }
                return .fails(EIO)
            }
            XCTAssertThrowsError(
                try hold.map { try goOn($0, grow) } ?? begin("PRAGMA cache_size = 10; " + grow)
            ) { error in
                guard case StorageError.databaseFailed = error else { return XCTFail("\(error)") }
            }
            fixture.drainWriter(lease.database)
            FileOperationHook.handler = nil
            lease = nil
            lease = try fixture.acquire()
            XCTAssertEqual(lease.database.head.revision, before)
            XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
        }
        try fixture.execute("INSERT INTO t VALUES (1, 1)")
    }
}
