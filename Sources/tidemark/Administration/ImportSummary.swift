/// What came of an import.
struct ImportSummary: Equatable, Sendable {
    /// nil where the server does not say.
    var pageCount: UInt64?
    /// What replicas will not be able to use, a sentence each.
    var warnings: [String] = []
}
