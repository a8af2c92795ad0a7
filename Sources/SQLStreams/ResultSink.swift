internal import SQLite

/// Takes the results of statements as they are stepped, so that rows are encoded straight from
/// SQLite's memory.
protocol ResultSink {
    associatedtype Mark

    /// The size of what was written so far, in bytes.
    var size: Int { get }
    var mark: Mark { get }
    /// Forgets everything that was written after `mark`.
    mutating func rollBack(to mark: Mark)

    mutating func beginResult(of statement: SQLite.Statement)
    /// Writes the row that `statement` stands on.
    mutating func row(of statement: SQLite.Statement)
    mutating func endResult(affectedRowCount: Int64, lastInsertRowID: Int64?)
    /// Stands for the result of a step that was skipped or failed.
    mutating func noResult()
}
