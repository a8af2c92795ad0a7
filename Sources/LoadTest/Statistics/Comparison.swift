/// Whether a figure of two results differs by more than its noise, which repeated runs show.
///
/// The rule is Welch's t test at 99 %: the noise is what the difference of two means of such runs
/// exceeds by chance in one of a hundred comparisons. Besides, very small differences are never
/// called one: runs that follow each other are more alike than runs on another day.
package struct Comparison: Equatable, Sendable {
    package enum Verdict: Equatable, Sendable {
        case noDifference, better, worse
        /// At least one side has a single run, which shows no noise.
        case unknown
    }

    package let first: SampleSummary
    package let second: SampleSummary
    /// Half the width of the interval that the true difference lies in; nil if unknown.
    package let noise: Double?
    package let verdict: Verdict

    /// - Parameters:
    ///   - firstValues: of single runs, at least one; as `secondValues`.
    ///   - smallestPart: differences below this part of the first mean count for nothing.
    package init(
        _ firstValues: [Double], _ secondValues: [Double], higherIsBetter: Bool,
        smallestPart: Double = 0.01
    ) {
        first = SampleSummary(firstValues)
        second = SampleSummary(secondValues)
        guard first.count > 1, second.count > 1 else {
            noise = nil
            verdict = .unknown
            return
        }
        let noise = Self.noise(first, second)
        self.noise = noise
        let difference = second.mean - first.mean
        guard abs(difference) > max(noise, abs(first.mean) * smallestPart) else {
            verdict = .noDifference
            return
        }
        verdict = (difference > 0) == higherIsBetter ? .better : .worse
    }

    /// The change, as a part of the first mean; nil where that is 0.
    package var part: Double? {
        first.mean == 0 ? nil : (second.mean - first.mean) / abs(first.mean)
    }

    private static func noise(_ first: SampleSummary, _ second: SampleSummary) -> Double {
        let (one, other) = (first.errorVariance, second.errorVariance)
        let sum = one + other
        guard sum > 0 else { return 0 }
        // Welch and Satterthwaite.
        let degreesOfFreedom =
            sum * sum
            / (one * one / Double(first.count - 1) + other * other / Double(second.count - 1))
        return StudentT.criticalValue(degreesOfFreedom: degreesOfFreedom) * sum.squareRoot()
    }
}
