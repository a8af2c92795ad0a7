import SQLite
import Storage
import XCTest

final class CheckpointScheduleTests: XCTestCase {
    private let start = ContinuousClock.now

    private func schedule(
        truncate: Int = 100, minimum: Int = 10, interval: Duration = .seconds(60)
    ) -> CheckpointSchedule {
        CheckpointSchedule(
            tiers: .init(
                truncateFrameCount: truncate, minimumFrameCount: minimum, interval: interval),
            now: start)
    }

    private func wal(_ lastFrame: Int, pending: Int? = nil) -> CheckpointSchedule.WAL {
        .init(lastFrame: lastFrame, pendingCount: pending ?? lastFrame)
    }

    func testTheTiersInTheirOrder() {
        let schedule = schedule()
        let rows: [(wal: CheckpointSchedule.WAL, mode: CheckpointMode?)] = [
            (wal(0), nil), (wal(9), nil), (wal(10), .passive), (wal(99), .passive),
            (wal(100), .truncate), (wal(50, pending: 9), nil), (wal(50, pending: 10), .passive),
            (wal(100, pending: 1), .truncate),
        ]
        for row in rows {
            XCTAssertEqual(schedule.dueMode(row.wal, now: start), row.mode, "\(row.wal)")
        }
    }

    func testZeroSwitchesTiersOff() {
        var schedule = schedule(truncate: 0, interval: .zero)
        XCTAssertEqual(schedule.dueMode(wal(1_000_000), now: start), .passive)
        XCTAssertNil(schedule.timerDelay(wal(5), now: start))
        XCTAssertNil(schedule.dueMode(wal(5), now: start + .seconds(1_000_000)))
    }

    /// The page count starts at one page, whatever it is given.
    func testTheSmallestPageCountIsOne() {
        let schedule = schedule(minimum: 0)
        XCTAssertNil(schedule.dueMode(wal(0), now: start))
        XCTAssertEqual(schedule.dueMode(wal(1), now: start), .passive)
    }

    func testAnUnfinishedCheckpointWaitsForAsManyFramesAgain() {
        var schedule = schedule()
        schedule.ended(.passive, reachedItsEnd: false, wal(12, pending: 12), now: start)
        XCTAssertNil(schedule.dueMode(wal(21), now: start))
        XCTAssertEqual(schedule.dueMode(wal(22), now: start), .passive)
        schedule.ended(.passive, reachedItsEnd: true, wal(22, pending: 0), now: start)
        XCTAssertEqual(schedule.dueMode(wal(32, pending: 10), now: start), .passive)
    }

    func testATruncationThatReadersHoldUpIsTriedAgainAndOwed() {
        var schedule = schedule()
        schedule.ended(.truncate, reachedItsEnd: false, wal(100, pending: 40), now: start)
        XCTAssertNil(schedule.dueMode(wal(109, pending: 49), now: start))
        XCTAssertEqual(schedule.dueMode(wal(110, pending: 50), now: start), .truncate)
        // The reader ended, and the WAL started over; its file is as long as it was.
        XCTAssertEqual(schedule.dueMode(wal(50), now: start), .truncate)
        schedule.ended(.truncate, reachedItsEnd: true, wal(0), now: start)
        XCTAssertEqual(schedule.dueMode(wal(50), now: start), .passive)
        XCTAssertEqual(schedule.dueMode(wal(100), now: start), .truncate)
    }

    /// Nobody is owed more than was asked for.
    func testATruncationByHandThatReadersHoldUpIsNotTriedAgain() {
        var schedule = schedule()
        schedule.ended(.truncate, reachedItsEnd: false, wal(20, pending: 0), now: start)
        XCTAssertFalse(schedule.hasWork(wal(20, pending: 0)))
        XCTAssertEqual(schedule.dueMode(wal(30, pending: 10), now: start), .passive)
    }

    func testTheIntervalNeedsOneTimerWhileFramesAreLeft() {
        var schedule = schedule()
        XCTAssertNil(schedule.timerDelay(wal(0), now: start), "nothing was written")
        let idle = start + .seconds(1000)
        XCTAssertEqual(schedule.timerDelay(wal(3), now: idle), .seconds(60))
        XCTAssertNil(schedule.timerDelay(wal(5), now: idle + .seconds(1)), "one is enough")
        XCTAssertNil(schedule.dueMode(wal(5), now: idle + .seconds(60)), "it has not fired")
        schedule.timerFired()
        XCTAssertEqual(schedule.dueMode(wal(5), now: idle + .seconds(60)), .passive)
        schedule.ended(
            .passive, reachedItsEnd: true, wal(5, pending: 0), now: idle + .seconds(60))
        XCTAssertNil(schedule.timerDelay(wal(5, pending: 0), now: idle + .seconds(60)))
        XCTAssertNil(schedule.dueMode(wal(6, pending: 1), now: idle + .seconds(600)))
    }

    func testTheIntervalCountsFromAnotherTiersCheckpoint() {
        var schedule = schedule()
        XCTAssertEqual(schedule.timerDelay(wal(3), now: start), .seconds(60))
        let other = start + .seconds(45)
        schedule.ended(.passive, reachedItsEnd: true, wal(10, pending: 0), now: other)
        schedule.timerFired()
        let fired = start + .seconds(60)
        XCTAssertNil(schedule.dueMode(wal(12, pending: 2), now: fired))
        XCTAssertEqual(
            schedule.timerDelay(wal(12, pending: 2), now: fired), .seconds(45), "the rest of it")
        schedule.timerFired()
        XCTAssertEqual(
            schedule.dueMode(wal(12, pending: 2), now: other + .seconds(60)), .passive)
    }

    func testATimerThatFindsNothingLeftIsNotSetAgain() {
        var schedule = schedule()
        XCTAssertNotNil(schedule.timerDelay(wal(3), now: start))
        schedule.ended(.passive, reachedItsEnd: true, wal(10, pending: 0), now: start)
        schedule.timerFired()
        XCTAssertNil(schedule.dueMode(wal(10, pending: 0), now: start + .seconds(60)))
        XCTAssertNil(schedule.timerDelay(wal(10, pending: 0), now: start + .seconds(60)))
    }

    func testAReaderThatWasEndedLetsTheCheckpointGoOn() {
        var schedule = schedule()
        schedule.ended(.passive, reachedItsEnd: false, wal(12, pending: 12), now: start)
        schedule.retry()
        XCTAssertEqual(schedule.dueMode(wal(12), now: start), .passive)
        XCTAssertNil(schedule.dueMode(wal(12, pending: 0), now: start), "nothing is left to do")
        schedule.ended(.truncate, reachedItsEnd: false, wal(120, pending: 12), now: start)
        schedule.retry()
        XCTAssertEqual(schedule.dueMode(wal(120, pending: 12), now: start), .truncate)
    }
}
