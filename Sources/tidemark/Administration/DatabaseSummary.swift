/// One line of `tidemark db list`.
struct DatabaseSummary: Equatable, Sendable {
    let name: String
    let sizeBytes: UInt64
    /// Opaque, as sync clients see it; empty where it is not known.
    let revision: String
}
