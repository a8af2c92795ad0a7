package import SQLite

/// How a database's newest checkpoint ended.
package struct CheckpointRecord: Equatable, Sendable {
    package enum Outcome: String, Sendable {
        /// It did all that its mode promises.
        case complete
        /// Readers kept it from its end; it goes on later.
        case incomplete
        /// A file could not be written or flushed; it is tried again.
        case failed
    }

    /// The mode that was asked for.
    package let mode: CheckpointMode
    package let outcome: Outcome
    /// SQLite's numbers; nil if it failed.
    package let result: CheckpointResult?
    /// When it ended, RFC 3339 in UTC.
    package let time: String
}
