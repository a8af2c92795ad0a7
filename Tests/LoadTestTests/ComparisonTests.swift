import TestSupport
import XCTest

@testable import LoadTest

final class ComparisonTests: XCTestCase {
    func testSummary() {
        let summary = SampleSummary([2, 4, 4, 4, 5, 5, 7, 9])
        XCTAssertEqual(summary.mean, 5)
        XCTAssertEqual(summary.standardDeviation, 2.138, accuracy: 0.001)
        XCTAssertEqual(SampleSummary([3]).standardDeviation, 0)
    }

    func testVerdicts() {
        let rows: [(String, [Double], [Double], Bool, Comparison.Verdict)] = [
            ("far apart", [100, 101, 99, 100], [120, 121, 119, 120], true, .better),
            ("the same for a time", [100, 101, 99, 100], [120, 121, 119, 120], false, .worse),
            ("lower rate", [120, 121, 119, 120], [100, 101, 99, 100], true, .worse),
            ("within noise", [80, 120, 95, 105], [100, 135, 85, 110], true, .noDifference),
            ("less than 1 %", [100, 100, 100], [100.5, 100.5, 100.5], true, .noDifference),
            ("without noise", [100, 100, 100], [102, 102, 102], true, .better),
            ("one run on one side", [100], [200, 201, 199], true, .unknown),
            ("one run on both", [100], [200], true, .unknown),
            ("nothing at all", [0, 0], [0, 0], true, .noDifference),
        ]
        for (name, first, second, higherIsBetter, verdict) in rows {
            let comparison = Comparison(first, second, higherIsBetter: higherIsBetter)
            XCTAssertEqual(comparison.verdict, verdict, name)
            XCTAssertEqual(comparison.noise == nil, verdict == .unknown, name)
        }
    }

    /// Worked out elsewhere: t = 2.853 at 27.9 degrees of freedom, whose 99 % point is 2.771.
    func testNoiseIsThatOfWelchsTest() {
        let first = [
            27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7,
            21.4,
        ]
        let second = [
            27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5,
            24.4,
        ]
        let comparison = Comparison(first, second, higherIsBetter: true)
        XCTAssertEqual(comparison.verdict, .better)
        let errors = (comparison.first.errorVariance + comparison.second.errorVariance)
            .squareRoot()
        let difference = comparison.second.mean - comparison.first.mean
        XCTAssertEqual(difference / errors, 2.853, accuracy: 0.001)
        XCTAssertEqual((comparison.noise ?? 0) / errors, 2.771, accuracy: 0.001)
    }

    /// Runs that differ by chance alone are called different in about one of a hundred cases.
    func testChanceIsSeldomTakenForADifference() {
        var generator = SeededGenerator(seed: 5)
        func runs() -> [Double] {
            (0..<5).map { _ in
                // Nearly normal, with a deviation of a tenth.
                1000
                    + (0..<12).reduce(-600) { sum, _ in
                        sum + Double.random(in: 0..<100, using: &generator)
                    }
            }
        }
        let wrong = (0..<2000).count { _ in
            Comparison(runs(), runs(), higherIsBetter: true).verdict != .noDifference
        }
        XCTAssertLessThan(wrong, 40)
        XCTAssertGreaterThan(wrong, 2)
    }

    func testCriticalValuesFall() {
        let values = [1, 1.9, 2, 5, 30, 30.9, 31, 60, 1000, .infinity].map {
            StudentT.criticalValue(degreesOfFreedom: $0)
        }
        XCTAssertEqual(values, values.sorted(by: >))
        XCTAssertEqual(values.first, 63.657)
        XCTAssertEqual(values.last, 2.576)
    }
}
