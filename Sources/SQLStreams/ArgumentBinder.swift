internal import Primitives
internal import SQLite
internal import WireProtocol

/// Binds the arguments of a request to a statement's parameters, strictly: one that is missing
/// would silently be NULL, and one that is left over is a mistake of the client's.
enum ArgumentBinder {
    /// The arguments of one statement, as the client sent them.
    struct Arguments {
        var positional: [SQLValue] = []
        var named: [WireProtocol.Statement.NamedArgument] = []
    }

    /// A named argument's name with its first character (`:a`, `@a`, `$a`, `?1`) means that
    /// parameter, a name without it every parameter so called. Where a position is given twice,
    /// the named argument counts.
    static func bind(
        _ arguments: Arguments, to statement: SQLite.Statement
    ) throws(StepFailure) {
        let (positional, named) = (arguments.positional, arguments.named)
        let count = statement.parameterCount
        guard positional.count <= count else {
            throw invalid("\(positional.count) arguments for \(count) parameters")
        }
        do {
            for index in positional.indices {
                try statement.bind(positional[index], at: index + 1)
            }
            if named.isEmpty, positional.count == count { return }
            var isBound = [Bool](repeating: false, count: count)
            for index in positional.indices { isBound[index] = true }
            for argument in named {
                let indexes = parameters(named: argument.name, of: statement)
                guard !indexes.isEmpty else {
                    throw invalid("no parameter is named \(argument.name)")
                }
                for index in indexes {
                    try statement.bind(argument.value, at: index)
                    isBound[index - 1] = true
                }
            }
            try requireAll(isBound, of: statement)
        } catch let error as SQLiteError {
            throw .rejected(SQLFailure(error))
        } catch let failure as StepFailure {
            throw failure
        } catch {
            preconditionFailure("binding throws nothing else")
        }
    }

    private static func parameters(
        named name: String, of statement: SQLite.Statement
    ) -> [Int] {
        if let first = name.utf8.first, ":@$?".utf8.contains(first) {
            return statement.parameterIndex(name).map { [$0] } ?? []
        }
        return [":", "@", "$"].compactMap { statement.parameterIndex($0 + name) }
    }

    private static func requireAll(
        _ isBound: [Bool], of statement: SQLite.Statement
    ) throws(StepFailure) {
        guard isBound.contains(false) else { return }
        let names = (1...isBound.count).map { statement.parameterName($0) }
        // `?9` makes nine parameters of which eight do not occur; they have no name, like `?`.
        let lastNumbered = names.lastIndex { $0?.hasPrefix("?") == true } ?? -1
        for (index, name) in names.enumerated() where !isBound[index] {
            if name == nil, index < lastNumbered { continue }
            throw invalid("value for parameter \(name ?? String(index + 1)) not found")
        }
    }

    private static func invalid(_ message: String) -> StepFailure {
        .rejected(.arguments(message))
    }
}
