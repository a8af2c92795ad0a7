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

extension PipelineResponseWriter: StatementOutput {
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

    mutating func row(of values: [SQLValue]) { appendRow(values) }

    mutating func end(affectedRowCount: Int64, lastInsertRowID: Int64?) {
        endStatement(
            affectedRowCount: UInt64(max(0, affectedRowCount)), lastInsertRowID: lastInsertRowID)
    }
}

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
