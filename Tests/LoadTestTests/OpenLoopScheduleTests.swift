import XCTest

@testable import LoadTest

final class OpenLoopScheduleTests: XCTestCase {
    func testOperationsAreEvenlySpaced() {
        var schedule = OpenLoopSchedule(start: 1000, rate: 1_000_000)
        XCTAssertNil(schedule.take(now: 999))
        XCTAssertEqual(schedule.take(now: 1000), 1000)
        XCTAssertNil(schedule.take(now: 1999))
        XCTAssertEqual(schedule.nextTime, 2000)
        // Late by three: all of them are due, at the times they were meant for.
        XCTAssertEqual((0..<4).map { _ in schedule.take(now: 4500) }, [2000, 3000, 4000, nil])
    }

    func testThreadsShareTheRate() {
        var schedules = (0..<3).map {
            OpenLoopSchedule(start: 0, rate: 3000, offset: $0, stride: 3)
        }
        var times: [UInt64] = []
        for index in schedules.indices {
            while let time = schedules[index].take(now: 999_999_999) { times.append(time) }
        }
        var whole = OpenLoopSchedule(start: 0, rate: 3000)
        var expected: [UInt64] = []
        while let time = whole.take(now: 999_999_999) { expected.append(time) }
        XCTAssertEqual(times.sorted(), expected)
        XCTAssertEqual(times.count, 3000)
    }

    func testNoRoundingAddsUp() {
        var schedule = OpenLoopSchedule(start: 0, rate: 7)
        for _ in 0..<7_000_000 { _ = schedule.take(now: .max) }
        XCTAssertEqual(schedule.nextTime, 1_000_000_000_000_000)
    }

    func testTheBacklogIsFirstInFirstOut() {
        var backlog = Backlog()
        XCTAssertNil(backlog.popFirst())
        var expected: UInt64 = 0
        var next: UInt64 = 0
        for round in 0..<100 {
            for _ in 0..<(round % 7) {
                backlog.append(next)
                next += 1
            }
            for _ in 0..<(round % 5) where !backlog.isEmpty {
                XCTAssertEqual(backlog.popFirst(), expected)
                expected += 1
            }
        }
        while let time = backlog.popFirst() {
            XCTAssertEqual(time, expected)
            expected += 1
        }
        XCTAssertEqual(expected, next)
        XCTAssertTrue(backlog.isEmpty)
    }
}
