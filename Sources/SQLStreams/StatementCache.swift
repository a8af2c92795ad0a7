internal import SQLite

/// A statement with what is known about it.
struct CompiledStatement {
    let statement: SQLite.Statement
    let facts: StatementFacts
}

/// The compiled statements of one request by their text. A push runs a handful of texts some
/// 20,000 times; compiling each once is most of its speed.
///
/// SQLite itself compiles a statement again when the schema changed since.
struct StatementCache {
    /// Enough for the tables of one push; a text beyond it is compiled each time.
    private static let capacity = 64

    private var statements: [String: CompiledStatement] = [:]
    /// The one that was asked for last: a push asks for it again for each row of a table, and with
    /// the same string, so that comparing costs nothing.
    private var last: (sql: String, statement: CompiledStatement)?
    /// For tests: how often a statement was compiled.
    private(set) var compileCount = 0

    /// The one that was asked for last, if it is this one.
    func repeated(_ sql: String) -> CompiledStatement? {
        guard let last, last.sql == sql else { return nil }
        return last.statement
    }

    mutating func statement(
        for sql: String, compile: () throws(StepFailure) -> CompiledStatement
    ) throws(StepFailure) -> CompiledStatement {
        if let cached = statements[sql] {
            last = (sql, cached)
            return cached
        }
        let compiled = try compile()
        compileCount += 1
        // Large texts are not repeated, and would only hold memory.
        if statements.count < Self.capacity, sql.utf8.count <= 65_536 {
            statements[sql] = compiled
            last = (sql, compiled)
        }
        return compiled
    }
}
