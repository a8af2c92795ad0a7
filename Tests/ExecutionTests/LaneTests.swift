import Dispatch
import Execution
import Synchronization
import XCTest

final class LaneTests: XCTestCase {
    /// Collects values from any thread.
    private final class Record: Sendable {
        private let values = Mutex<[Int]>([])
        func add(_ value: Int) { values.withLock { $0.append(value) } }
        var all: [Int] { values.withLock { $0 } }
    }

    func testAJobRunsAfterTheJobsBeforeIt() {
        let pool = WorkerPool(threadCount: 4)
        let lane = Lane(pool: pool)
        let record = Record()
        for index in 0..<2000 { XCTAssertTrue(lane.submit { record.add(index) }) }
        pool.stop()
        XCTAssertEqual(record.all, Array(0..<2000))
        XCTAssertEqual(lane.count, 0)
    }

    /// As many as the width run at a time, and really at the same time.
    func testNoMoreJobsRunThanTheLaneIsWide() {
        for width in 1...3 {
            let pool = WorkerPool(threadCount: 4)
            let lane = Lane(pool: pool, width: width)
            let running = Atomic(0)
            let largest = Atomic(0)
            let meeting = DispatchSemaphore(value: 0)
            let started = DispatchSemaphore(value: 0)
            for index in 0..<50 {
                _ = lane.submit {
                    let count = running.add(1, ordering: .sequentiallyConsistent).newValue
                    largest.max(count, ordering: .sequentiallyConsistent)
                    if index < width {
                        started.signal()
                        meeting.wait()
                    }
                    running.subtract(1, ordering: .sequentiallyConsistent)
                }
            }
            for _ in 0..<width { started.wait() }
            XCTAssertEqual(lane.count, 50)
            for _ in 0..<width { meeting.signal() }
            pool.stop()
            XCTAssertEqual(largest.load(ordering: .sequentiallyConsistent), width)
        }
    }

    func testAFullLaneRefusesAllButWhatMustRun() {
        let pool = WorkerPool(threadCount: 1)
        let lane = Lane(pool: pool, limit: 2)
        let record = Record()
        let started = DispatchSemaphore(value: 0)
        let gate = DispatchSemaphore(value: 0)
        XCTAssertTrue(
            lane.submit {
                started.signal()
                gate.wait()
            })
        started.wait()
        XCTAssertTrue(lane.submit { record.add(1) })
        XCTAssertTrue(lane.submit { record.add(2) })
        XCTAssertFalse(lane.submit { record.add(3) })
        lane.submitAlways { record.add(4) }
        gate.signal()
        pool.stop()
        XCTAssertEqual(record.all, [1, 2, 4])
    }

    /// A lane gives its thread back after a number of jobs, or sooner if they take long.
    func testABusyLaneDoesNotStarveTheOthers() {
        let pool = WorkerPool(threadCount: 1)
        let busy = Lane(pool: pool)
        let other = Lane(pool: pool)
        let record = Record()
        let started = DispatchSemaphore(value: 0)
        let gate = DispatchSemaphore(value: 0)
        _ = busy.submit {
            started.signal()
            gate.wait()
        }
        started.wait()
        for index in 0..<300 { _ = busy.submit { record.add(index) } }
        _ = other.submit { record.add(1000) }
        gate.signal()
        pool.stop()
        XCTAssertLessThanOrEqual(record.all.firstIndex(of: 1000) ?? .max, 64)
        XCTAssertEqual(record.all.filter { $0 < 1000 }, Array(0..<300))
    }

    /// What is left to do behind the last job is done by its thread, when others may run there.
    func testAThreadThatLeavesTheLaneSaysSo() {
        let pool = WorkerPool(threadCount: 2)
        let left = DispatchSemaphore(value: 0)
        let gate = DispatchSemaphore(value: 0)
        let record = Record()
        let lane = Lane(pool: pool) {
            record.add(-1)
            left.signal()
            gate.wait()
        }
        _ = lane.submit { record.add(1) }
        left.wait()
        XCTAssertEqual(lane.count, 0)
        XCTAssertFalse(lane.hasWaiting)
        _ = lane.submit { record.add(2) }
        left.wait()
        XCTAssertEqual(record.all, [1, -1, 2, -1])
        gate.signal()
        gate.signal()
        pool.stop()
    }

    func testAJobMaySubmitToItsOwnLane() {
        let pool = WorkerPool(threadCount: 2)
        let lane = Lane(pool: pool)
        let record = Record()
        let done = DispatchSemaphore(value: 0)
        _ = lane.submit {
            record.add(1)
            _ = lane.submit {
                record.add(2)
                done.signal()
            }
        }
        done.wait()
        pool.stop()
        XCTAssertEqual(record.all, [1, 2])
    }

    /// The pool has one thread: whoever held it would keep `other` from running.
    func testAHeldLaneKeepsTheOthersWaitingWithoutAThread() {
        let pool = WorkerPool(threadCount: 1)
        let lane = Lane(pool: pool)
        let other = Lane(pool: pool)
        let record = Record()
        let step = DispatchSemaphore(value: 0)
        _ = lane.submit {
            record.add(1)
            lane.hold()
        }
        for value in [10, 11] { _ = lane.submit { record.add(value) } }
        _ = other.submit { step.signal() }
        step.wait()
        XCTAssertEqual(record.all, [1])
        XCTAssertEqual(lane.count, 3)
        lane.resume {
            record.add(2)
            lane.hold()
            // Before the job that holds the lane has ended.
            lane.resume { record.add(3) }
        }
        pool.stop()
        XCTAssertEqual(record.all, [1, 2, 3, 10, 11])
        XCTAssertEqual(lane.count, 0)
    }

    /// Holders come and go on many threads; each one's steps stay together, and all jobs run.
    func testJobsOfAHolderAreNeverMixedWithOthers() {
        let pool = WorkerPool(threadCount: 4)
        let lane = Lane(pool: pool)
        let record = Record()
        let ended = DispatchGroup()
        @Sendable func step(_ holder: Int, _ number: Int) {
            record.add(holder * 10 + number)
            guard number < 5 else { return ended.leave() }
            lane.hold()
            // From the job itself, and from another thread while it ends or has ended.
            if (holder + number).isMultiple(of: 2) {
                lane.resume { step(holder, number + 1) }
            } else {
                pool.submit { lane.resume { step(holder, number + 1) } }
            }
        }
        for holder in 0..<200 {
            ended.enter()
            XCTAssertTrue(lane.submit { step(holder, 0) })
        }
        ended.wait()
        pool.stop()
        XCTAssertEqual(record.all, (0..<200).flatMap { holder in (0...5).map { holder * 10 + $0 } })
        XCTAssertEqual(lane.count, 0)
    }

    func testManyThreadsSubmitToManyLanes() {
        let pool = WorkerPool(threadCount: 4)
        let lanes = (0..<5).map { _ in Lane(pool: pool) }
        let records = (0..<5).map { _ in Record() }
        let group = DispatchGroup()
        for thread in 0..<4 {
            DispatchQueue.global().async(group: group) {
                for index in 0..<500 {
                    let lane = (index + thread) % 5
                    _ = lanes[lane].submit { records[lane].add(thread * 1000 + index) }
                }
            }
        }
        group.wait()
        pool.stop()
        XCTAssertEqual(records.map(\.all.count).reduce(0, +), 2000)
        for record in records {
            for thread in 0..<4 {
                let own = record.all.filter { $0 / 1000 == thread }
                XCTAssertEqual(own, own.sorted(), "one thread's jobs keep their order")
            }
        }
    }
}
