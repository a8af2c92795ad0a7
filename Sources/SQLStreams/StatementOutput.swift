internal import Primitives
internal import SQLite
internal import WireProtocol

/// Takes the result of a statement while it is stepped, so that rows are encoded straight from
/// SQLite's memory.
protocol StatementOutput {
    /// Bytes written so far, for the limit on them.
    var byteCount: Int { get }

    mutating func begin(_ statement: SQLite.Statement)
    /// Writes the row that `statement` stands on.
    mutating func row(of statement: SQLite.Statement)
    /// Writes a row that SQLite does not have.
    mutating func row(of values: [SQLValue])
    mutating func end(affectedRowCount: Int64, lastInsertRowID: Int64?)
}

/// Takes the results of a batch, step by step.
protocol BatchOutput: StatementOutput {
    mutating func beginBatch()
    mutating func endBatch()
    /// The next step's condition is false.
    mutating func skipStep()
    /// Forgets what was written of the open step, or answers the next one.
    mutating func failStep(_ failure: SQLFailure)
    /// Forgets all of the batch.
    mutating func abandonRequest()
    /// Forgets all of the batch, and answers it with an error.
    mutating func failRequest(_ failure: SQLFailure)

    mutating func beginStatement(columns: [ResultColumn])
    mutating func endStatement(affectedRowCount: UInt64, lastInsertRowID: Int64?)
    mutating func beginRow()
    mutating func endRow()
    mutating func append(_ value: SQLValue)
    mutating func appendNull()
    mutating func append(_ integer: Int64)
    mutating func append(_ float: Double)
    mutating func appendText(_ text: UnsafeRawBufferPointer)
    mutating func appendBlob(_ blob: UnsafeRawBufferPointer)
}

extension BatchOutput {
    mutating func begin(_ statement: SQLite.Statement) {
        beginStatement(columns: statement.resultColumns)
    }

    mutating func row(of statement: SQLite.Statement) {
        beginRow()
        for index in 0..<statement.columnCount {
            switch statement.columnType(at: index) {
            case .null: appendNull()
            case .integer: append(statement.integer(at: index))
            case .float: append(statement.double(at: index))
            case .text: unsafe statement.withTextBytes(at: index) { unsafe appendText($0) }
            case .blob: unsafe statement.withBlobBytes(at: index) { unsafe appendBlob($0) }
            }
        }
        endRow()
    }

    mutating func row(of values: [SQLValue]) {
        beginRow()
        for value in values { append(value) }
        endRow()
    }

    mutating func end(affectedRowCount: Int64, lastInsertRowID: Int64?) {
        endStatement(
            affectedRowCount: UInt64(max(0, affectedRowCount)), lastInsertRowID: lastInsertRowID)
    }
}

extension PipelineResponseWriter: BatchOutput {}
extension CursorResponseWriter: BatchOutput {}

/// Drops the rows of a sequence, which answers only whether it succeeded.
struct DiscardedOutput: StatementOutput {
    var byteCount: Int { 0 }
    mutating func begin(_ statement: SQLite.Statement) {}
    mutating func row(of statement: SQLite.Statement) {}
    mutating func row(of values: [SQLValue]) {}
    mutating func end(affectedRowCount: Int64, lastInsertRowID: Int64?) {}
}

extension SQLite.Statement {
    var resultColumns: [ResultColumn] {
        (0..<columnCount).map {
            ResultColumn(name: columnName(at: $0), declaredType: columnDeclaredType(at: $0))
        }
    }
}
