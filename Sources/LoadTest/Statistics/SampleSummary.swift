/// Mean and spread of a figure over repeated runs.
package struct SampleSummary: Equatable, Sendable {
    package let count: Int
    package let mean: Double
    /// Of the sample (n - 1); 0 for a single value.
    package let standardDeviation: Double

    /// - Parameter values: at least one.
    package init(_ values: [Double]) {
        precondition(!values.isEmpty, "no values to summarise")
        count = values.count
        let mean = values.reduce(0, +) / Double(values.count)
        self.mean = mean
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        standardDeviation =
            values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
    }

    /// The square of the mean's standard error.
    var errorVariance: Double { standardDeviation * standardDeviation / Double(count) }
}
