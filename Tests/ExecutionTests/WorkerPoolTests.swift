import Dispatch
import Execution
import Synchronization
import XCTest

final class WorkerPoolTests: XCTestCase {
    func testStopRunsWhatIsQueued() {
        for threadCount in 1...4 {
            let pool = WorkerPool(threadCount: threadCount)
            let outer = Atomic(0)
            let inner = Atomic(0)
            for _ in 0..<300 {
                pool.submit {
                    outer.add(1, ordering: .relaxed)
                    // What a job submits is queued as well.
                    pool.submit { inner.add(1, ordering: .relaxed) }
                }
            }
            pool.stop()
            XCTAssertEqual(outer.load(ordering: .relaxed), 300)
            XCTAssertEqual(inner.load(ordering: .relaxed), 300)
        }
    }

    func testAllThreadsRunAtTheSameTime() {
        let pool = WorkerPool(threadCount: 3)
        let arrived = DispatchSemaphore(value: 0)
        let gate = DispatchSemaphore(value: 0)
        for _ in 0..<3 {
            pool.submit {
                arrived.signal()
                gate.wait()
            }
        }
        for _ in 0..<3 { arrived.wait() }
        for _ in 0..<3 { gate.signal() }
        pool.stop()
    }

    func testAQueueIsFirstInFirstOut() {
        var queue = Queue<Int>()
        var model: [Int] = []
        XCTAssertNil(queue.popFirst())
        for index in 0..<5000 {
            queue.append(index)
            model.append(index)
            if index % 3 != 0 { XCTAssertEqual(queue.popFirst(), model.removeFirst()) }
            XCTAssertEqual(queue.count, model.count)
        }
        while let next = queue.popFirst() { XCTAssertEqual(next, model.removeFirst()) }
        XCTAssertTrue(model.isEmpty && queue.isEmpty)
    }
}
