import Primitives
import Storage
import Synchronization
import XCTest

@testable import Replication

final class FrameStagingTests: XCTestCase {
    private let database = DatabaseID(high: 1, low: 2)
    private let start = ContinuousClock.now

    private func staged(_ count: Int) -> StagedFrames {
        let frame = WALFrame(
            page: 1, databaseSize: 0, content: [UInt8](repeating: 0, count: 4096))
        return StagedFrames(
            generation: 1, first: 1, frames: [WALFrame](repeating: frame, count: count))
    }

    func testABatonIsOfOneDatabaseAndForAWhile() throws {
        var staging = FrameStaging(byteLimit: 1 << 20, timeout: .seconds(60))
        let baton = PushBaton.random()
        _ = staging.store(staged(2), under: baton, of: database, now: start)
        func frames(_ baton: PushBaton, _ database: DatabaseID, _ seconds: Int) -> Int? {
            staging.frames(baton, of: database, now: start + .seconds(seconds))?.frames.count
        }
        XCTAssertEqual(frames(baton, database, 59), 2)
        XCTAssertNil(frames(baton, database, 60))
        XCTAssertNil(frames(baton, DatabaseID(high: 1, low: 3), 0))
        XCTAssertNil(frames(PushBaton("x"), database, 0))
        // Going on renews it.
        _ = staging.store(staged(3), under: baton, of: database, now: start + .seconds(50))
        XCTAssertEqual(frames(baton, database, 100), 3)
        staging.end(baton)
        XCTAssertNil(frames(baton, database, 51))
        XCTAssertEqual(staging.byteCount, 0)
        staging.end(baton)
    }

    func testExpiredPushesFreeTheirRoom() throws {
        var staging = FrameStaging(byteLimit: 1 << 20, timeout: .seconds(60))
        let batons = (0..<10).map { _ in PushBaton.random() }
        for (index, baton) in batons.enumerated() {
            _ = staging.store(
                staged(index), under: baton, of: database, now: start + .seconds(index))
        }
        // The first one is renewed, so it outlives the next ones.
        _ = staging.store(staged(7), under: batons[0], of: database, now: start + .seconds(30))
        staging.expire(now: start + .seconds(65))
        XCTAssertEqual(staging.sessionCount, 5)
        XCTAssertNotNil(
            staging.frames(batons[0], of: database, now: start + .seconds(65)))
        staging.expire(now: start + .seconds(90))
        XCTAssertEqual(staging.sessionCount, 0)
        XCTAssertEqual(staging.byteCount, 0)
    }

    func testTheRoomIsSharedAndBounded() throws {
        let room = FrameStaging.byteCount(of: 10)
        var staging = FrameStaging(byteLimit: room)
        let (mine, other) = (PushBaton.random(), PushBaton.random())
        func store(_ count: Int, _ baton: PushBaton, _ seconds: Int = 0) -> FrameStaging.Refusal? {
            staging.store(
                staged(count), under: baton, of: database, now: start + .seconds(seconds))
        }
        XCTAssertEqual(store(11, mine), .transactionTooLarge)
        XCTAssertNil(store(6, mine))
        // What is replaced makes room for what replaces it.
        XCTAssertNil(store(10, mine))
        XCTAssertEqual(staging.byteCount, room)
        for count in [0, 5, 10] { XCTAssertEqual(store(count, other), .full) }
        XCTAssertEqual(store(11, other), .transactionTooLarge)
        XCTAssertEqual(staging.frames(mine, of: database, now: start)?.frames.count, 10)
        // What does not fit any more is not kept, and what it went on from neither.
        XCTAssertEqual(store(11, mine), .transactionTooLarge)
        XCTAssertNil(staging.frames(mine, of: database, now: start))
        XCTAssertNil(store(10, mine))
        // Time makes room, too.
        XCTAssertNil(store(10, other, 60))
        XCTAssertEqual(staging.byteCount, room)
        XCTAssertEqual(staging.sessionCount, 1)
    }

    func testBatonsCannotBeGuessed() {
        let batons = Set((0..<1000).map { _ in PushBaton.random().text })
        XCTAssertEqual(batons.count, 1000)
        for baton in batons {
            XCTAssertEqual(baton.count, 32)
            XCTAssertTrue(baton.allSatisfy { $0.isHexDigit })
        }
    }

    func testADatabaseIsQuietAWhileAfterThePushesAndTheStart() {
        let clock = Mutex(start)
        let pushes = OngoingPushes(byteLimit: 1 << 20, quietTime: .seconds(60)) {
            clock.withLock { $0 }
        }
        func isQuiet(_ seconds: Int, _ database: DatabaseID) -> Bool {
            clock.withLock { $0 = start + .seconds(seconds) }
            return pushes.isQuiet(database)
        }
        let other = DatabaseID(high: 9, low: 9)
        XCTAssertFalse(isQuiet(59, database))
        XCTAssertTrue(isQuiet(60, database))
        pushes.pushed(to: database)
        XCTAssertFalse(isQuiet(119, database))
        XCTAssertTrue(isQuiet(119, other))
        XCTAssertTrue(isQuiet(120, database))
        pushes.pushed(to: other)
        XCTAssertTrue(isQuiet(121, database))
        XCTAssertFalse(isQuiet(121, other))
        pushes.withStaging { staging, now in
            _ = staging.store(staged(1), under: PushBaton("a"), of: database, now: now)
        }
        _ = isQuiet(200, database)
        pushes.pushed(to: other)
        XCTAssertEqual(pushes.withStaging { staging, _ in staging.sessionCount }, 0)
    }
}
