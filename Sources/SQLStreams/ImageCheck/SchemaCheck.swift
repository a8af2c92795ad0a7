internal import SQLite

/// Has SQLite parse a pushed schema, and refuses what replicas cannot hold and what this server
/// could not write to.
struct SchemaCheck {
    private let image: PushedImage
    private let limits: ImageCheck.Limits

    init(_ image: PushedImage, limits: ImageCheck.Limits) {
        self.image = image
        self.limits = limits
    }

    func run(_ schema: ImageSchema) throws(ImageCheckStop) {
        let problems = SchemaRules.problems(of: schema.rows)
        guard problems.isEmpty else { throw .faults(problems) }
        let found: [String]
        do throws(SQLiteError) {
            found = try fatalProblems(schema)
        } catch {
            if let failure = image.failure { throw .source(failure) }
            switch error.primaryCode {
            case .noMemory: throw .source(error)
            case .interrupt: throw .fault("the schema takes too long to check")
            default: throw .fault("the schema cannot be read: \(error.message.prefix(200))")
            }
        }
        guard found.isEmpty else { throw .faults(found) }
    }

    private func fatalProblems(_ schema: ImageSchema) throws(SQLiteError) -> [String] {
        let connection = try Connection.open(image: image)
        defer { connection.close() }
        connection.setLimit(.sqlLength, to: limits.schemaSize)
        connection.setLimit(.length, to: limits.schemaSize)
        connection.setProgressDeadline(.now + limits.schemaTime)
        return try ReplicaCompatibility.schemaProblems(connection).map(\.description)
            + unwritableTables(connection, schema)
    }

    /// New tables and indexes with functions or collations that are not known here: SQLite notices
    /// only when it compiles a statement that writes to the table. Nothing is run. CHECK constraints
    /// are not among it: SQLite drops those of a database that it cannot write to.
    private func unwritableTables(
        _ connection: Connection, _ schema: ImageSchema
    ) throws(SQLiteError) -> [String] {
        var problems: [String] = []
        let kinds = ["table", "index"].map { Array($0.utf8) }
        let tables = Set(schema.newRows.filter { kinds.contains($0.type) }.map(\.table))
        for table in tables {
            let name = String(decoding: table, as: UTF8.self)
            let quoted = name.replacing("\"", with: "\"\"")
            do throws(SQLiteError) {
                _ = try connection.prepare("INSERT INTO main.\"\(quoted)\" DEFAULT VALUES")
            } catch {
                guard error.primaryCode == .error else { throw error }
                problems.append(
                    "\(name.prefix(200)) cannot be written to: \(error.message.prefix(200))")
            }
        }
        return problems.sorted()
    }
}
