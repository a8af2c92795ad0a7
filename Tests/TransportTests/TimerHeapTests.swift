import XCTest

@testable import Transport

final class TimerHeapTests: XCTestCase {
    func testTimersComeOutInOrderAndCancelledOnesDoNot() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("timer heap seed: \(seed)")
        srand48(Int(truncatingIfNeeded: seed))
        for _ in 0..<200 {
            var heap = TimerHeap()
            var kept: [UInt64] = []
            var timers: [LoopTimer] = []
            for _ in 0..<Int(drand48() * 60) {
                let timer = LoopTimer(deadline: UInt64(drand48() * 20)) {}
                heap.insert(timer)
                timers.append(timer)
            }
            for timer in timers {
                if drand48() < 0.4 {
                    heap.remove(timer)
                    heap.remove(timer)
                    XCTAssertNil(timer.position)
                } else {
                    kept.append(timer.deadline)
                }
            }
            kept.sort()
            XCTAssertEqual(heap.count, kept.count, "seed \(seed)")
            XCTAssertEqual(heap.earliestDeadline, kept.first, "seed \(seed)")
            var fired: [UInt64] = []
            for now in UInt64(0)...20 {
                while let timer = heap.popExpired(now: now) {
                    XCTAssertEqual(timer.deadline, now, "seed \(seed)")
                    fired.append(timer.deadline)
                }
            }
            XCTAssertEqual(fired, kept, "seed \(seed)")
            XCTAssertTrue(heap.isEmpty)
        }
    }
}
