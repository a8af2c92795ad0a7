import Foundation
import Primitives
import Synchronization
import TestSupport
import XCTest

@testable import Storage

/// Partial replicas against a real store: what they may ask for, through checkpoints, restarts
/// and the end of their history.
final class ReplicaTests: XCTestCase {
    private var fixture: StorageFixture!
    private let time = Clock()

    override func setUpWithError() throws {
        var options = StorageOptions()
        options.minCheckpointPageCount = 4
        options.clock = { [time] in time.now.load(ordering: .relaxed) }
        fixture = try StorageFixture(options: options)
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(30000)), (randomblob(30000))")
    }

    override func tearDown() { fixture.tearDown() }

    private final class Clock: Sendable {
        let now = Atomic<Int64>(1_000_000)
    }

    /// A replica and what it saw when it began.
    private struct Began {
        let base: Revision
        let id: ReplicaID
        let image: [UInt8]
    }

    private func database() throws -> Database { try fixture.acquire().database }

    private func begin() throws -> Began {
        let (snapshot, id) = try database().beginReplica()
        XCTAssertEqual(snapshot.revision.replica, id)
        return Began(base: snapshot.revision, id: id, image: try fixture.image(of: snapshot))
    }

    private func drop(_ id: ReplicaID) throws -> Bool {
        let box = Box<Result<Bool, StorageError>>()
        try database().dropReplica(id) { box.set($0) }
        return try box.wait().get()
    }

    /// What its lazy reads give for all pages.
    private func lazyImage(_ began: Began) throws -> [UInt8] {
        let snapshot = try database().snapshot(forReplica: began.base)
        XCTAssertEqual(Int(snapshot.databaseSize) * pageSize, began.image.count)
        return try fixture.image(of: snapshot)
    }

    /// Commits, and a checkpoint behind each.
    private func changeEverything(_ rounds: Int = 3) throws {
        for round in 0..<rounds {
            try fixture.execute("UPDATE t SET v = randomblob(29000 + \(round))")
            try fixture.execute("INSERT INTO t (v) VALUES (randomblob(9000))")
            fixture.drainWriter(try database())
        }
    }

    private func pull(_ began: Began, from commit: CommitNumber) throws -> Snapshot {
        try database().replica(began.id, echoed: commit)
        let snapshot = try database().snapshot()
        try database().replica(began.id, isSent: snapshot, isWhole: false)
        return snapshot
    }

    func testItSeesItsBaseThroughCheckpointsVacuumAndRestarts() throws {
        let began = try begin()
        try changeEverything()
        XCTAssertTrue(try lazyImage(began) == began.image, "after checkpoints")
        try fixture.reopen()
        XCTAssertTrue(try lazyImage(began) == began.image, "after a restart")
        try fixture.execute("DELETE FROM t WHERE id > 1; VACUUM")
        fixture.drainWriter(try database())
        try changeEverything()
        try fixture.reopen()
        try changeEverything(1)
        XCTAssertTrue(try lazyImage(began) == began.image, "after a shrink and growth")
        XCTAssertEqual(try database().partialReplicas.map(\.id), [began.id])
    }

    func testAPullMovesItAndAnEchoOfTheOldRevisionMovesItBack() throws {
        let began = try begin()
        try changeEverything(1)
        let pulled = try pull(began, from: began.base.commit)
        let image = try fixture.image(of: pulled)
        try changeEverything(1)
        let size = began.image.count
        XCTAssertTrue(try lazyImage(began) == Array(image.prefix(size)), "as it was sent")
        try fixture.reopen()
        XCTAssertTrue(try lazyImage(began) == Array(image.prefix(size)), "after a restart")
        // The answer was lost: it still has its base.
        try database().replica(began.id, echoed: began.base.commit)
        XCTAssertTrue(try lazyImage(began) == began.image, "moved back")
        try fixture.reopen()
        XCTAssertTrue(try lazyImage(began) == began.image, "moved back, after a restart")
        // It got this one, and says so; then what only its base needed is let go of.
        let second = try pull(began, from: began.base.commit)
        try database().replica(began.id, echoed: second.revision.commit)
        try changeEverything(1)
        XCTAssertTrue(
            try lazyImage(began) == Array(fixture.image(of: second).prefix(size)), "moved on")
        let replica = try XCTUnwrap(database().partialReplicas.first)
        XCTAssertEqual(replica.echoed, replica.sent)
        XCTAssertEqual(replica.base.commit, began.base.commit)
    }

    func testPagesThatAShrinkCutOffAreThereUntilThatIsKnownToBePulled() throws {
        let began = try begin()
        try fixture.execute("DELETE FROM t; VACUUM")
        fixture.drainWriter(try database())
        let small = try pull(began, from: began.base.commit)
        let size = Int(small.databaseSize) * pageSize
        XCTAssertLessThan(size, began.image.count)
        try changeEverything(1)
        let expected = try fixture.image(of: small) + began.image.dropFirst(size)
        XCTAssertTrue(try lazyImage(began) == expected)
        try database().replica(began.id, echoed: small.revision.commit)
        let zeros = [UInt8](repeating: 0, count: began.image.count - size)
        XCTAssertTrue(try lazyImage(began) == fixture.image(of: small) + zeros)
    }

    func testHistoryCostsNothingWhileNobodyNeedsIt() throws {
        try changeEverything()
        XCTAssertEqual(try database().statistics().historyBytes, 0)
        let began = try begin()
        try changeEverything()
        let used = try database().statistics()
        XCTAssertGreaterThan(used.historyBytes, Int64(began.image.count / 2))
        XCTAssertLessThan(used.historyBytes, Int64(began.image.count * 2))
        XCTAssertEqual(used.pinCount, 1)
        XCTAssertTrue(try drop(began.id))
        XCTAssertFalse(try drop(began.id))
        let left = try database().statistics()
        XCTAssertLessThan(left.historyBytes, 64)
        XCTAssertEqual(left.pinCount, 0)
        XCTAssertEqual(left.droppedPinCount, 1)
    }

    private func checkGone(_ began: Began, line: UInt = #line) throws {
        XCTAssertThrowsError(try database().snapshot(forReplica: began.base), line: line) { error in
            guard case StorageError.revisionGone? = error as? StorageError else {
                return XCTFail("\(error)", line: line)
            }
        }
        XCTAssertEqual(try database().standing(of: began.id), .unknown, line: line)
    }

    func testADroppedOneIsGoneForGood() throws {
        let began = try begin()
        try changeEverything(1)
        XCTAssertTrue(try drop(began.id))
        try checkGone(began)
        try fixture.reopen()
        try checkGone(began)
        // Whoever asks with another base, or with an id that never was, gets no page either.
        let other = try begin()
        for wrong in [
            other.base.carrying(replica: ReplicaID(7)), other.base.carrying(replica: nil),
            began.base.carrying(replica: other.id),
        ] {
            XCTAssertThrowsError(try database().snapshot(forReplica: wrong), wrong.wire)
        }
    }

    func testUnusedOnesExpireAndUsedOnesDoNot() throws {
        let unused = try begin()
        let reads = try begin()
        let pulls = try begin()
        for _ in 0..<40 {
            time.now.add(86400, ordering: .relaxed)
            _ = try lazyImage(reads)
            _ = try pull(pulls, from: pulls.base.commit)
            try fixture.execute("UPDATE t SET v = 1 WHERE id = 1")
        }
        try fixture.reopen()
        try changeEverything(1)
        try checkGone(unused)
        XCTAssertEqual(
            try Set(database().partialReplicas.map(\.id)), [reads.id, pulls.id])
        XCTAssertTrue(try lazyImage(reads) == reads.image)
    }

    func testOverTheQuotaTheOneUnusedTheLongestGoes() throws {
        fixture.options.historyQuota = 0
        try fixture.reopen()
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(400000))")
        fixture.drainWriter(try database())
        var all: [Began] = []
        for _ in 0..<6 {
            time.now.add(10, ordering: .relaxed)
            all.append(try begin())
            try fixture.execute("UPDATE t SET v = randomblob(400000) WHERE id = 3")
            fixture.drainWriter(try database())
        }
        let largest = all.map(\.image.count).max()!
        XCTAssertLessThanOrEqual(
            try database().statistics().historyBytes, Int64(2 * largest + 2 * largest / 50))
        let kept = try database().partialReplicas.map(\.id)
        XCTAssertEqual(kept, all.suffix(kept.count).reversed().map(\.id))
        XCTAssertTrue((1...3).contains(kept.count), "\(kept.count)")
        try fixture.reopen()
        for (index, began) in all.enumerated() {
            if index < all.count - kept.count {
                try checkGone(began)
            } else {
                XCTAssertTrue(try lazyImage(began) == began.image, "replica \(index)")
            }
        }
    }

    func testASnapshotThatTheQuotaCannotHoldFailsToRead() throws {
        fixture.options.historyQuota = 0
        try fixture.reopen()
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(400000))")
        fixture.drainWriter(try database())
        var held: [Snapshot] = []
        for _ in 0..<6 {
            time.now.add(10, ordering: .relaxed)
            held.append(try database().snapshot())
            try fixture.execute("UPDATE t SET v = randomblob(400000) WHERE id = 3")
            fixture.drainWriter(try database())
        }
        XCTAssertThrowsError(try fixture.image(of: held[0]))
        XCTAssertNoThrow(try fixture.image(of: held[5]))
        held = []
        XCTAssertNoThrow(try fixture.image(of: database().snapshot()))
    }

    func testABootstrapInSeveralRequestsBecomesAFullReplica() throws {
        let began = try begin()
        let count = UInt32(began.image.count / pageSize)
        try database().replica(began.id, received: [0..<4])
        try database().replica(began.id, received: [6..<count])
        try changeEverything(1)
        try database().replica(began.id, received: [4..<6])
        XCTAssertTrue(try lazyImage(began) == began.image)
        try database().replica(began.id, echoed: began.base.commit)
        XCTAssertEqual(try database().standing(of: began.id), .full)
        XCTAssertEqual(try database().statistics().pinCount, 0)
        try fixture.reopen()
        XCTAssertEqual(try database().standing(of: began.id), .full)
        // It says that it misses pages after all.
        XCTAssertThrowsError(try database().snapshot(forReplica: began.base))
        try checkGone(began)
    }

    func testAPartialOneThatPullsStaysPartial() throws {
        let began = try begin()
        try database().replica(began.id, received: [0..<3, 5..<9])
        try database().replica(began.id, echoed: began.base.commit)
        try database().replica(
            began.id, received: [0..<UInt32(began.image.count / pageSize)])
        try database().replica(began.id, echoed: began.base.commit)
        XCTAssertEqual(try database().standing(of: began.id), .partial)
    }

    func testAnAnswerWithEveryPageMakesItFullOnceItIsEchoed() throws {
        let began = try begin()
        try changeEverything(1)
        let whole = try database().snapshot()
        try database().replica(began.id, isSent: whole, isWhole: true)
        try database().replica(began.id, echoed: began.base.commit)
        XCTAssertEqual(try database().standing(of: began.id), .partial, "the answer was lost")
        try database().replica(began.id, isSent: whole, isWhole: true)
        try database().replica(began.id, echoed: whole.revision.commit)
        XCTAssertEqual(try database().standing(of: began.id), .full)
    }

    func testThereAreNoMoreThanTheLimit() throws {
        fixture.options.pinLimit = 2
        try fixture.reopen()
        let first = try begin()
        _ = try begin()
        XCTAssertThrowsError(try begin()) { error in
            guard case StorageError.tooManyPins? = error as? StorageError else {
                return XCTFail("\(error)")
            }
        }
        XCTAssertTrue(try drop(first.id))
        _ = try begin()
    }

    /// An answer that ends when its database is closed must not write into what the next owner
    /// of the files has open.
    func testAClosedDatabaseWritesNothingDown() throws {
        let began = try begin()
        try changeEverything(1)
        let old = try database()
        let snapshot = try old.snapshot()
        try fixture.reopen()
        XCTAssertThrowsError(try old.replica(began.id, isSent: snapshot, isWhole: false))
        let second = try begin()
        try changeEverything(1)
        try fixture.reopen()
        XCTAssertTrue(try lazyImage(began) == began.image)
        XCTAssertTrue(try lazyImage(second) == second.image)
    }

    /// That a pin was used cannot be written down on a full disk; the page is given all the same.
    func testAFullDiskKeepsNoPageFromAReplica() throws {
        let began = try begin()
        time.now.add(7200, ordering: .relaxed)
        FileOperationHook.handler = { event in
            event.path.hasSuffix("history.log") ? .fails(ENOSPC) : .goesOn
        }
        defer { FileOperationHook.handler = nil }
        XCTAssertTrue(try lazyImage(began) == began.image)
        XCTAssertThrowsError(try begin(), "a new one has to be written down")
    }

    /// A log that lost what a checkpoint relied on must not lead to wrong pages.
    func testADamagedLogLosesItsReplicasAndNothingElse() throws {
        let began = try begin()
        try changeEverything(1)
        let head = try database().head.revision
        fixture.close()
        let path = fixture.path(.default, "history.log")
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        bytes[40] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        try fixture.open()
        try checkGone(began)
        XCTAssertEqual(try database().head.revision, head)
        let again = try begin()
        try changeEverything(1)
        try fixture.reopen()
        XCTAssertTrue(try lazyImage(again) == again.image)
    }

    /// Rot in an image is an error, and never a wrong page.
    func testARottenImageIsNotServed() throws {
        let began = try begin()
        try changeEverything(1)
        let path = fixture.path(.default, "history")
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        bytes[pageSize + 9] ^= 4
        fixture.close()
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        try fixture.open()
        XCTAssertThrowsError(try lazyImage(began)) { error in
            guard case StorageError.corruptFile? = error as? StorageError else {
                return XCTFail("\(error)")
            }
        }
    }
}
