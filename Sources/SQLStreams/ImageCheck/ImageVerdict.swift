internal import SQLite

/// Whether pages that a client pushed may become a database's next state.
package enum ImageVerdict: Equatable, Sendable {
    case sound
    /// What is wrong, for a person; never empty. Nothing of the push may be applied.
    case refused([String])
}

/// What ends a part of the check early.
enum ImageCheckStop: Error {
    /// The image is not sound, and why.
    case faults([String])
    case outOfTime
    /// The base could not be read.
    case source(SQLiteError)

    static func fault(_ problem: String) -> ImageCheckStop { .faults([problem]) }
}
