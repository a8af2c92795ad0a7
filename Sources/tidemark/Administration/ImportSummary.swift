/// What came of an import.
struct ImportSummary: Equatable, Sendable {
    /// nil where the server does not say.
    var pageCount: UInt64?
    /// What was changed to fit, such as the page size.
    var conversions: [String] = []
    /// What replicas will not be able to use, a sentence each.
    var warnings: [String] = []
}
