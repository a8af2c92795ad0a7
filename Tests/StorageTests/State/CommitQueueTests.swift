import Primitives
import TestSupport
import XCTest

@testable import Storage

final class CommitQueueTests: XCTestCase {
    private typealias Queue = CommitQueue<Int, Int>

    private func queue() -> Queue { Queue(head: CommitNumber(10)) }

    private func commit(_ number: Int, _ queue: inout Queue) {
        queue.commitShows()
        queue.append(number)
        XCTAssertEqual(queue.transactionEnded(), [])
    }

    func testNothingPendingMeansNoDelay() {
        var queue = queue()
        XCTAssertEqual(queue.add(1), .ready)
        XCTAssertFalse(queue.beginFlush())
        XCTAssertFalse(queue.requestFlush())
    }

    func testAFlushCoversWhatWasWrittenWhenItBegan() {
        var queue = queue()
        commit(11, &queue)
        XCTAssertEqual(queue.add(1), .waiting)
        XCTAssertTrue(queue.requestFlush())
        XCTAssertFalse(queue.requestFlush(), "one request is enough")
        queue.requestIsMet()
        XCTAssertTrue(queue.beginFlush())
        XCTAssertFalse(queue.beginFlush(), "one runs")
        commit(12, &queue)
        XCTAssertEqual(queue.add(2), .waiting)
        XCTAssertFalse(queue.requestFlush(), "the one that runs is followed by another")
        let first = queue.flushSucceeded()
        XCTAssertEqual(first.commits, [11])
        XCTAssertEqual(first.answers, [1])
        XCTAssertEqual(queue.head, CommitNumber(11))
        XCTAssertFalse(queue.beginFlush(), "its answers are still being given")
        queue.flushEnded()
        XCTAssertTrue(queue.beginFlush())
        let second = queue.flushSucceeded()
        XCTAssertEqual(second.commits, [12])
        XCTAssertEqual(second.answers, [2])
        queue.flushEnded()
        XCTAssertEqual(queue.add(3), .ready)
    }

    /// Readers see a commit before the writer's lock is released, and it is counted only then.
    func testAReaderThatMaySeeACommitWaitsForItBeforeItIsCounted() {
        var queue = queue()
        queue.commitShows()
        XCTAssertEqual(queue.add(1), .waiting)
        queue.append(11)
        XCTAssertEqual(queue.transactionEnded(), [])
        XCTAssertTrue(queue.beginFlush())
        XCTAssertEqual(queue.flushSucceeded().answers, [1])
    }

    func testAnswersDoNotWaitForACommitThatCameToNothing() {
        var queue = queue()
        queue.commitShows()
        XCTAssertEqual(queue.add(1), .waiting)
        XCTAssertEqual(queue.transactionEnded(), [1])
        commit(11, &queue)
        queue.commitShows()
        XCTAssertEqual(queue.add(2), .waiting)
        XCTAssertEqual(queue.transactionEnded(), [])
        XCTAssertTrue(queue.beginFlush())
        XCTAssertEqual(queue.flushSucceeded().answers, [2])
    }

    func testNothingBecomesDurableAfterAFailure() {
        var queue = queue()
        commit(11, &queue)
        XCTAssertEqual(queue.add(1), .waiting)
        XCTAssertTrue(queue.beginFlush())
        commit(12, &queue)
        XCTAssertEqual(queue.add(2), .waiting)
        queue.flushFailed()
        XCTAssertFalse(queue.beginFlush())
        XCTAssertFalse(queue.requestFlush())
        // A job that was under way goes on to its end.
        commit(13, &queue)
        XCTAssertEqual(queue.add(3), .waiting, "it must not overtake the others")
        XCTAssertEqual(queue.fail(), [1, 2, 3])
        XCTAssertEqual(queue.commits, [])
        XCTAssertEqual(queue.head, CommitNumber(10))
        XCTAssertEqual(queue.add(4), .lost)
    }

    /// A write fails while a flush is under way.
    func testAFlushUnderWayMaySucceedAfterAFailure() {
        var queue = queue()
        commit(11, &queue)
        XCTAssertEqual(queue.add(1), .waiting)
        XCTAssertTrue(queue.beginFlush())
        commit(12, &queue)
        XCTAssertEqual(queue.add(2), .waiting)
        queue.stop()
        XCTAssertEqual(queue.flushSucceeded().answers, [1])
        queue.flushEnded()
        XCTAssertFalse(queue.beginFlush())
        XCTAssertEqual(queue.fail(), [2])
        XCTAssertEqual(queue.head, CommitNumber(11))
    }

    /// Any order of events: an answer comes once, in order, not before all that it saw, and never
    /// after a failure took that away.
    func testAnyOrderOfEvents() {
        forEachSeed(count: 200) { generator in
            var queue = self.queue()
            var written = 10
            var durable = 10
            var next = 0
            var isShowing = false
            var isFlushing = false
            var covered = 10
            var seen: [Int: Int] = [:]
            var given: [Int] = []
            func give(_ answers: [Int]) throws {
                for answer in answers {
                    try require(seen[answer]! <= durable, "answer \(answer) came too early")
                    try require(answer > given.last ?? -1, "answer \(answer) came out of order")
                    given.append(answer)
                }
            }
            for _ in 0..<120 {
                switch generator.number(0...9) {
                case 0..<3 where !isShowing:
                    queue.commitShows()
                    isShowing = true
                case 0..<3:
                    isShowing = false
                    if generator.chance(4) {
                        for answer in seen.keys { seen[answer] = min(seen[answer]!, written) }
                    } else {
                        written += 1
                        queue.append(written)
                    }
                    try give(queue.transactionEnded())
                case 3..<6:
                    seen[next] = written + (isShowing ? 1 : 0)
                    switch queue.add(next) {
                    case .ready: try require(seen[next]! <= durable, "an answer did not wait")
                    case .waiting: try require(seen[next]! > durable, "an answer waits for nothing")
                    case .lost: throw Mismatch("nothing failed")
                    }
                    if seen[next]! <= durable { seen[next] = nil }
                    next += 1
                case 6..<8 where !isFlushing:
                    isFlushing = queue.beginFlush()
                    covered = written
                    try require(isFlushing == (written > durable), "a flush of nothing, or none")
                case 6..<8:
                    let old = durable
                    durable = covered
                    let (commits, answers) = queue.flushSucceeded()
                    try require(commits == Array(old + 1..<durable + 1), "commits \(commits)")
                    try give(answers)
                    queue.flushEnded()
                    isFlushing = false
                default: try require(queue.head.rawValue == durable, "the head")
                }
            }
            if isFlushing { queue.flushFailed() } else { queue.stop() }
            let lost = queue.fail()
            let left = seen.keys.filter { !given.contains($0) }.sorted()
            try require(lost == left, "lost \(lost), left \(left)")
            try require(left.allSatisfy { seen[$0]! > durable }, "an answer was kept for nothing")
        }
    }
}
