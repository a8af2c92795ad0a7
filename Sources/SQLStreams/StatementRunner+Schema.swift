internal import SQLite
internal import WireProtocol

/// Changes of the schema.
extension StatementRunner {
    /// Runs a statement that changes the schema inside a savepoint and takes it back if replicas
    /// could not hold the outcome. Only looking at the outcome finds every case: STORED columns,
    /// names given by ALTER TABLE, collations.
    func runSchemaChange(_ statement: SQLite.Statement) throws(StepFailure) {
        let wasAutocommit = connection.isAutocommit
        do {
            let version = try trusted { try $0.queryInteger("PRAGMA main.schema_version") }
            try trusted { try $0.execute("SAVEPOINT \(Self.savepoint)") }
            while try statement.step() {}
            if try trusted({ try $0.queryInteger("PRAGMA main.schema_version") }) != version {
                try refuseNewProblems(statement)
            }
            try trusted { try $0.execute("RELEASE \(Self.savepoint)") }
        } catch {
            let failure = (error as? StepFailure) ?? (error as? SQLiteError).map(stepFailure)
            statement.reset()
            undoSchemaChange(wasAutocommit: wasAutocommit)
            guard let failure else { preconditionFailure("a change throws nothing else") }
            throw failure
        }
    }

    private static let savepoint = "tidemark_schema_change"

    /// A problem that was there before is not this statement's: then it runs again, unchecked.
    private func refuseNewProblems(_ statement: SQLite.Statement) throws {
        let problems = try trusted { try ReplicaCompatibility.schemaProblems($0) }
        guard !problems.isEmpty else { return }
        statement.reset()
        let before = try trusted { connection in
            try connection.execute("ROLLBACK TO \(Self.savepoint)")
            return Set(try ReplicaCompatibility.schemaProblems(connection))
        }
        if let new = problems.first(where: { !before.contains($0) }) {
            throw StepFailure.rejected(
                SQLFailure(
                    message: new.description, code: SQLFailure.unsupportedByReplicas))
        }
        while try statement.step() {}
    }

    private func undoSchemaChange(wasAutocommit: Bool) {
        // SQLite may have rolled everything back already; then there is nothing left to undo.
        guard !connection.isAutocommit else { return }
        try? trusted { connection in
            if wasAutocommit {
                try connection.execute("ROLLBACK")
            } else {
                try connection.execute(
                    "ROLLBACK TO \(Self.savepoint); RELEASE \(Self.savepoint)")
            }
        }
    }
}
