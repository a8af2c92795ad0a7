/// Student's t distribution, as far as comparing two means needs it.
enum StudentT {
    /// Two-sided 99 % points for 1 to 30 degrees of freedom.
    private static let points = [
        63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012,
        2.977, 2.947, 2.921, 2.898, 2.878, 2.861, 2.845, 2.831, 2.819, 2.807, 2.797, 2.787, 2.779,
        2.771, 2.763, 2.756, 2.750,
    ]

    /// What the difference of two means, in standard errors, exceeds by chance in one of a hundred
    /// cases.
    ///
    /// - Parameter degreesOfFreedom: at least 1; fractions count as the whole number below.
    static func criticalValue(degreesOfFreedom: Double) -> Double {
        guard degreesOfFreedom.isFinite, degreesOfFreedom < 31 else {
            // Towards the normal distribution's.
            return degreesOfFreedom.isFinite ? 2.576 + 5 / degreesOfFreedom : 2.576
        }
        return points[max(1, Int(degreesOfFreedom)) - 1]
    }
}
