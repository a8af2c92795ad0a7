import Dispatch
import Primitives
import Storage
import XCTest

@testable import SQLStreams

/// Transactions over several requests, with the storage under them. No thread waits for a stream:
/// the pool has two.
final class StreamExecutionTests: XCTestCase {
    private var fixture: StreamFixture!

    override func setUpWithError() throws { try start() }
    override func tearDown() { fixture.tearDown() }

    private func start(
        _ change: (inout StreamLimits, inout StorageOptions) -> Void = { _, _ in }
    ) throws {
        fixture?.tearDown()
        fixture = try StreamFixture(change)
        XCTAssertNil(try fixture.run(nil, "CREATE TABLE t(a INTEGER PRIMARY KEY)").code)
    }

    private func streamCount() throws -> Int {
        fixture.streams.count(of: try fixture.lease().database.databaseID)
    }

    /// A transaction with the row `row`, open on the writer.
    private func open(_ row: Int) throws -> String {
        try XCTUnwrap(try fixture.run(nil, "BEGIN", "INSERT INTO t VALUES (\(row))").baton)
    }

    func testATransactionCommitsInALaterRequest() throws {
        let begun = try fixture.run(nil, "BEGIN")
        let inserted = try fixture.run(begun.baton, "INSERT INTO t VALUES (1)", "autocommit")
        XCTAssertEqual(inserted.results[1].response?["is_autocommit"] as? Bool, false)
        XCTAssertEqual(try fixture.rows(), "")
        XCTAssertEqual(try streamCount(), 1)
        let own = try fixture.run(inserted.baton, "SELECT count(*) FROM t")
        XCTAssertEqual(own.results[0].rows, ["1"])
        XCTAssertEqual(Set([begun.baton, inserted.baton, own.baton]).count, 3)
        let committed = try fixture.run(own.baton, "COMMIT", "autocommit", "close")
        XCTAssertNil(committed.baton)
        XCTAssertEqual(try fixture.rows(), "1")
        XCTAssertEqual(try streamCount(), 0)
        for baton in [begun.baton, inserted.baton, own.baton] {
            XCTAssertEqual(
                try fixture.run(baton, "INSERT INTO t VALUES (2)").code, "STREAM_EXPIRED")
        }
        XCTAssertEqual(try fixture.rows(), "1")
    }

    func testCloseRollsBack() throws {
        XCTAssertNil(try fixture.run(try open(1), "close").baton)
        XCTAssertNil(try fixture.run(nil, "INSERT INTO t VALUES (2)").code)
        XCTAssertEqual(try fixture.rows(), "2")
        XCTAssertEqual(try streamCount(), 0)
    }

    func testWritersWaitAndReadersDoNot() throws {
        let baton = try open(0)
        let waiting = try (1...3).map { try fixture.send(nil, ["INSERT INTO t VALUES (\($0))"]) }
        XCTAssertEqual(try fixture.rows(), "")
        for pending in waiting { XCTAssertFalse(pending.comes(within: .milliseconds(5))) }
        XCTAssertNil(try fixture.run(baton, "COMMIT").code)
        for pending in waiting { XCTAssertNil(try pending.answer().code) }
        XCTAssertEqual(try fixture.rows(), "0,1,2,3")

        let first = try open(4)
        let second = try fixture.send(nil, ["BEGIN IMMEDIATE", "INSERT INTO t VALUES (5)"])
        XCTAssertNil(try fixture.run(first, "COMMIT").code)
        XCTAssertNil(try fixture.run(try second.answer().baton, "COMMIT", "close").code)
        XCTAssertEqual(try fixture.rows(), "0,1,2,3,4,5")
    }

    func testAnIdleStreamEndsAndLetsTheNextWriterIn() throws {
        try start { limits, _ in limits.idleTime = .milliseconds(30) }
        let baton = try open(1)
        // Its answer is the event that is waited for.
        XCTAssertNil(try fixture.run(nil, "INSERT INTO t VALUES (2)").code)
        XCTAssertEqual(try fixture.rows(), "2")
        XCTAssertEqual(try streamCount(), 0)
        let late = try fixture.run(baton, "COMMIT")
        guard case .stream(.expired(.idle(.milliseconds(30)))) = late.failure else {
            return XCTFail("\(late)")
        }
    }

    func testALongTransactionEndsThoughItsClientIsActive() throws {
        try start { limits, _ in limits.transactionTime = .milliseconds(100) }
        var baton: String? = try open(1)
        let waiting = try fixture.send(nil, ["INSERT INTO t VALUES (2)"])
        let deadline = ContinuousClock.now + .seconds(20)
        var failure: PipelineExecution.Failure?
        while failure == nil, ContinuousClock.now < deadline {
            let answer = try fixture.run(baton, "SELECT 1")
            (baton, failure) = (answer.baton, answer.failure)
        }
        guard case .stream(.expired(.transactionTooLong)) = failure else {
            return XCTFail("\(String(describing: failure))")
        }
        XCTAssertNil(try waiting.answer().code)
        XCTAssertEqual(try fixture.rows(), "2")
    }

    func testAStreamWithoutATransactionHoldsNobodyUp() throws {
        let begun = try fixture.run(nil, "PRAGMA foreign_keys = ON", "BEGIN")
        XCTAssertNotNil(begun.baton)
        XCTAssertNil(try fixture.run(nil, "INSERT INTO t VALUES (1)").code)
        // It sees the newest state, as nothing was read before.
        let read = try fixture.run(begun.baton, "SELECT count(*) FROM t", "PRAGMA foreign_keys")
        XCTAssertEqual(read.results.map(\.rows), [["1"], ["1"]])
        // From here on it must be able to go on writing.
        let waiting = try fixture.send(nil, ["INSERT INTO t VALUES (2)"])
        XCTAssertFalse(waiting.comes(within: .milliseconds(20)))
        let written = try fixture.run(read.baton, "INSERT INTO t VALUES (3)", "COMMIT")
        XCTAssertEqual(written.results.compactMap(\.code), [])
        XCTAssertNil(try waiting.answer().code)
        XCTAssertNotNil(written.baton, "it has its setting")
        let setting = try fixture.run(written.baton, "PRAGMA foreign_keys", "close")
        XCTAssertEqual(setting.results[0].rows, ["1"])
        XCTAssertEqual(try fixture.run(nil, "PRAGMA foreign_keys").results[0].rows, ["0"])
        XCTAssertEqual(try fixture.rows(), "1,2,3")
    }

    func testAFullQueueLeavesTheStreamAsItWas() throws {
        try start { _, options in options.queueLimit = 1 }
        let begun = try fixture.run(nil, "PRAGMA foreign_keys = ON", "BEGIN").baton
        let holder = try open(1)
        // One of them waits for the writer, and then there is no room for the other.
        let pair = try (0..<2).map { _ in try fixture.send(nil, ["BEGIN IMMEDIATE", "ROLLBACK"]) }
        XCTAssertTrue(
            (0..<4000).contains { pair[$0 % 2].comes(within: .milliseconds(5)) })
        XCTAssertEqual(try fixture.run(begun, "INSERT INTO t VALUES (2)").code, "full")
        XCTAssertNil(try fixture.run(holder, "COMMIT").code)
        XCTAssertEqual(Set(try pair.map { try $0.answer().code }), ["full", nil])
        let again = try fixture.run(
            begun, "INSERT INTO t VALUES (2)", "COMMIT", "PRAGMA foreign_keys", "close")
        XCTAssertEqual(again.results[2].rows, ["1"])
        XCTAssertEqual(try fixture.rows(), "1,2")
    }

    func testTwoRequestsWithOneBaton() throws {
        let baton = try open(1)
        let slow = "SELECT count(*) FROM generate_series(1, 20000000)"
        let first = try fixture.send(baton, [slow])
        let second = try fixture.run(baton, "INSERT INTO t VALUES (2)")
        XCTAssertEqual(second.code, "STREAM_BUSY")
        let next = try first.answer()
        XCTAssertEqual(next.results[0].rows, ["20000000"])
        XCTAssertNil(try fixture.run(next.baton, "COMMIT").code)
        XCTAssertEqual(try fixture.rows(), "1")
    }

    func testABatonOfAnotherDatabaseDoesNothing() throws {
        let name = try XCTUnwrap(DatabaseName("other"))
        try fixture.store.create(name)
        let baton = try open(1)
        XCTAssertEqual(
            try fixture.run(baton, "CREATE TABLE x(a)", on: name).code, "STREAM_EXPIRED")
        XCTAssertNil(try fixture.run(baton, "COMMIT").code)
        XCTAssertEqual(try fixture.rows(), "1")
    }

    func testThereAreOnlySoManyStreams() throws {
        try start { limits, _ in limits.streamsPerDatabase = 2 }
        let kept = try (0..<2).map { _ in try XCTUnwrap(fixture.run(nil, "BEGIN").baton) }
        let third = try fixture.run(nil, "INSERT INTO t VALUES (1)", "BEGIN IMMEDIATE")
        XCTAssertEqual(third.code, "too_many_streams")
        // The writer is free, and requests without a stream work.
        XCTAssertNil(try fixture.run(nil, "INSERT INTO t VALUES (2)").code)
        XCTAssertEqual(try fixture.rows(), "1,2")
        XCTAssertNil(try fixture.run(kept[0], "close").baton)
        XCTAssertNotNil(try fixture.run(nil, "BEGIN").baton)
    }

    func testADirtyConnectionIsReplacedHoweverItsStreamEnds() throws {
        try start { limits, _ in limits.idleTime = .milliseconds(30) }
        let dirty = ["BEGIN IMMEDIATE", "CREATE TEMP TABLE x(a)", "PRAGMA foreign_keys = ON"]
        let committed = try fixture.send(nil, dirty).answer()
        XCTAssertEqual(
            try fixture.run(committed.baton, "SELECT * FROM x", "COMMIT").results[0].rows, [])
        _ = try fixture.send(nil, dirty).answer()
        for _ in 0..<2 {
            // On the writer, behind the stream.
            let answer = try fixture.run(
                nil, "BEGIN IMMEDIATE", "SELECT * FROM x", "PRAGMA foreign_keys", "ROLLBACK")
            XCTAssertEqual(answer.results[1].message, "no such table: x")
            XCTAssertEqual(answer.results[2].rows, ["0"])
        }
    }

    // MARK: the end

    func testStoppingEndsIdleStreamsAndThoseThatRun() throws {
        let baton = try open(1)
        let begun = try fixture.run(nil, "BEGIN").baton
        let waiting = try fixture.send(nil, ["INSERT INTO t VALUES (2)"])
        fixture.streams.stop()
        XCTAssertNil(try waiting.answer().code)
        for baton in [baton, begun] {
            let answer = try fixture.run(baton, "COMMIT")
            guard case .stream(.expired(.stopping)) = answer.failure else {
                return XCTFail("\(answer)")
            }
        }
        XCTAssertEqual(try fixture.run(nil, "BEGIN", "INSERT INTO t VALUES (3)").code, "closed")
        XCTAssertEqual(try fixture.rows(), "2")
    }

    func testClosingTheStoreDoesNotWaitForAStream() throws {
        let baton = try open(1)
        let waiting = try fixture.send(nil, ["INSERT INTO t VALUES (2)"])
        let lease = try fixture.lease()
        fixture.closeStore()
        XCTAssertEqual(try waiting.answer().code, "closed")
        XCTAssertEqual(fixture.streams.count(of: lease.database.databaseID), 0)
        _ = baton
    }

    func testDeletingADatabaseEndsItsStreams() throws {
        let name = try XCTUnwrap(DatabaseName("doomed"))
        try fixture.store.create(name)
        let baton = try fixture.run(nil, "CREATE TABLE t(a)", "BEGIN IMMEDIATE", on: name).baton
        let waiting = try fixture.send(nil, ["INSERT INTO t VALUES (2)"], on: name)
        let deleted = DispatchSemaphore(value: 0)
        fixture.store.delete(name) { error in
            XCTAssertNil(error)
            deleted.signal()
        }
        XCTAssertEqual(deleted.wait(timeout: .now() + 60), .success)
        XCTAssertEqual(try waiting.answer().code, "deleted")
        // A new one of the same name is another database.
        try fixture.store.create(name)
        XCTAssertEqual(try fixture.run(baton, "COMMIT", on: name).code, "STREAM_EXPIRED")
        XCTAssertEqual(fixture.streams.count(of: try fixture.lease(name).database.databaseID), 0)
    }

    /// Many clients with transactions of several requests, some of which are abandoned: each row of
    /// a transaction is there, or none.
    func testManyClientsAtOnce() throws {
        try start { limits, _ in limits.idleTime = .milliseconds(40) }
        let fixture = fixture!
        DispatchQueue.concurrentPerform(iterations: 8) { client in
            for turn in 0..<8 {
                let row = client * 1000 + turn * 10
                do {
                    let begin = try fixture.run(nil, "BEGIN", "INSERT INTO t VALUES (\(row))")
                    guard let baton = begin.baton else {
                        XCTFail("\(begin)")
                        continue
                    }
                    if turn % 4 == 3 { continue }
                    let second = try fixture.run(baton, "INSERT INTO t VALUES (\(row + 1))")
                    // The machine may be slow: then all of it is gone.
                    _ = try fixture.run(second.baton ?? baton, turn % 4 == 2 ? "close" : "COMMIT")
                } catch {
                    XCTFail("\(error)")
                }
            }
        }
        let halves = try fixture.run(
            nil, "SELECT count(*) FROM (SELECT a / 10 FROM t GROUP BY 1 HAVING count(*) <> 2)",
            "SELECT count(*) FROM t WHERE a / 10 % 4 > 1")
        XCTAssertEqual(halves.results.map(\.rows), [["0"], ["0"]])
        XCTAssertNil(try fixture.run(nil, "INSERT INTO t VALUES (100000)").code)
        XCTAssertEqual(try streamCount(), 0)
    }
}
