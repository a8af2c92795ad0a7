internal import SQLite
internal import WireProtocol

/// What SQL from clients may do on a connection, asked by SQLite while it compiles.
///
/// It also notes what a statement does (`facts`) and why it refused one (`refusal`), because
/// SQLite's own error says only "not authorized".
final class ClientPolicy: AuthorizerPolicy {
    enum Mode {
        case client
        /// A VACUUM runs: it attaches a nameless database and rebuilds everything in it.
        case vacuum
        /// SQL of our own runs.
        case trusted
    }

    private let isSynced: Bool
    var mode = Mode.client
    private(set) var facts = StatementFacts()
    private(set) var refusal: SQLFailure?

    /// - Parameter isSynced: replicas pull this database, so it may hold nothing they cannot.
    init(isSynced: Bool) { self.isSynced = isSynced }

    /// Forgets what was noted about the statement before.
    func begin() {
        facts = StatementFacts()
        if refusal != nil { refusal = nil }
    }

    func decide(_ request: AuthorizerRequest) -> AuthorizerDecision {
        switch mode {
        case .client: return decideForClient(request)
        case .vacuum:
            guard request.action == .attach else { return .allow }
            return request.first?.isEmpty == true
                ? .allow : refuse("VACUUM INTO is not allowed here")
        case .trusted: return .allow
        }
    }

    private func decideForClient(_ request: AuthorizerRequest) -> AuthorizerDecision {
        switch request.action {
        case .insert:
            note(change: request)
            if request.source == nil, !Self.isSchemaTable(request.first) { facts.isInsert = true }
        case .update, .delete: note(change: request)
        case .createTable, .createIndex, .createTrigger, .createView, .alterTable, .dropTable,
            .dropIndex, .dropTrigger, .dropView, .dropVirtualTable:
            facts.changesSchema = true
        case .createTempTable, .createTempIndex, .createTempTrigger, .createTempView,
            .dropTempTable, .dropTempIndex, .dropTempTrigger, .dropTempView:
            facts.touchesTemporaryObjects = true
        case .createVirtualTable: return decideVirtualTable(module: request.second ?? "")
        case .transaction: note(transaction: request.first)
        case .pragma:
            return decidePragma(
                name: request.first ?? "", argument: request.second, database: request.database)
        case .attach: return refuse("ATTACH is not allowed here")
        case .detach: return refuse("DETACH is not allowed here")
        case .function where request.second?.lowercased() == "load_extension":
            return refuse("load_extension is not allowed here")
        default: break
        }
        return .allow
    }

    private static func isSchemaTable(_ name: String?) -> Bool {
        name == "sqlite_master" || name == "sqlite_temp_master"
    }

    private func note(change request: AuthorizerRequest) {
        // Changes by triggers carry their name; those to the schema belong to CREATE and such.
        guard request.source == nil, !Self.isSchemaTable(request.first) else { return }
        facts.changesRows = true
    }

    private func note(transaction word: String?) {
        switch word {
        case "BEGIN": facts.transactionControl = .begin
        case "COMMIT": facts.transactionControl = .commit
        case "ROLLBACK": facts.transactionControl = .rollback
        default: break
        }
    }

    private func decideVirtualTable(module: String) -> AuthorizerDecision {
        facts.changesSchema = true
        guard isSynced else { return .allow }
        refusal = SQLFailure(
            message: "a virtual table (module \(module)) cannot be created: replicas cannot open"
                + " a database that holds one", code: SQLFailure.unsupportedByReplicas)
        return .deny
    }

    private func decidePragma(
        name: String, argument: String?, database: String?
    ) -> AuthorizerDecision {
        switch PragmaRules.verdict(name: name, argument: argument, isSynced: isSynced) {
        case .allowed: break
        case .changesConnection: facts.changesConnection = true
        case .checkpoint(let mode):
            guard database == nil || database == "main" else {
                return refuse("PRAGMA wal_checkpoint is for the database main only")
            }
            facts.checkpointMode = mode
        case .refused(let failure):
            refusal = failure
            return .deny
        }
        if name.lowercased() == "optimize" { facts.isOptimize = true }
        return .allow
    }

    private func refuse(_ message: String) -> AuthorizerDecision {
        refusal = SQLFailure(message: message, code: SQLFailure.blocked)
        return .deny
    }
}
