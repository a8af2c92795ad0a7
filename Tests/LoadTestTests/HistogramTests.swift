import TestSupport
import XCTest

@testable import LoadTest

final class HistogramTests: XCTestCase {
    func testThreeDigitsAreKept() {
        for time in [1, 2047, 2048, 2049, 4095, 4096, 123_456, 98_765_432_100] as [UInt64] {
            var histogram = LatencyHistogram()
            histogram.record(time)
            histogram.record(time * 2)
            let found = histogram.percentile(50)
            XCTAssertGreaterThanOrEqual(found, time)
            XCTAssertLessThanOrEqual(Double(found), Double(time) * 1.001, "\(time)")
            XCTAssertEqual(histogram.minimum, time)
            XCTAssertEqual(histogram.maximum, time * 2)
        }
    }

    func testPercentilesAgreeWithSortedTimes() {
        var generator = SeededGenerator(seed: 7)
        var times: [UInt64] = []
        var histogram = LatencyHistogram()
        for _ in 0..<10_000 {
            let time = UInt64.random(in: 0..<(1 << UInt64.random(in: 1...40)), using: &generator)
            times.append(time)
            histogram.record(time)
        }
        times.sort()
        let percents = [0, 1, 50, 90, 99, 99.9, 99.99, 100]
        for (percent, found) in zip(percents, histogram.percentiles(percents)) {
            let rank = max(1, Int((percent * 100).rounded(.up)))
            let exact = times[rank - 1]
            XCTAssertGreaterThanOrEqual(found, exact, "\(percent)")
            XCTAssertLessThanOrEqual(Double(found), Double(exact) * 1.001 + 1, "\(percent)")
        }
        let mean = times.reduce(0.0) { $0 + Double($1) } / 10_000
        XCTAssertEqual(histogram.mean, mean, accuracy: mean * 1e-9)
    }

    func testMergedIsAsIfRecordedInOne() {
        var (all, left, right) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        for time in 0..<3000 as Range<UInt64> {
            all.record(time * 977)
            if time % 3 == 0 { left.record(time * 977) } else { right.record(time * 977) }
        }
        left.merge(right)
        XCTAssertEqual(left, all)
        left.merge(LatencyHistogram())
        XCTAssertEqual(left, all)
        var empty = LatencyHistogram()
        empty.merge(all)
        XCTAssertEqual(empty, all)
    }

    func testNothingAndTooMuch() {
        var histogram = LatencyHistogram()
        XCTAssertEqual(histogram.percentile(99), 0)
        XCTAssertEqual(histogram.mean, 0)
        XCTAssertTrue(histogram.curve.isEmpty)
        histogram.record(.max)
        XCTAssertEqual(histogram.maximum, LatencyHistogram.maximumTime)
        XCTAssertEqual(histogram.percentile(50), LatencyHistogram.maximumTime)
    }

    func testTheCurveAscendsToTheMaximum() {
        var histogram = LatencyHistogram()
        for time in 1...5000 as ClosedRange<UInt64> { histogram.record(time * 1000) }
        let curve = histogram.curve
        XCTAssertEqual(curve.first?.percent, 0)
        XCTAssertEqual(curve.last?.percent, 100)
        XCTAssertEqual(curve.last?.time, 5_000_000)
        for (one, next) in zip(curve, curve.dropFirst()) {
            XCTAssertLessThan(one.percent, next.percent)
            XCTAssertLessThanOrEqual(one.time, next.time)
        }
    }
}
