internal import Primitives
internal import WireProtocol

/// A batch that carries a replica's changes: one transaction that ends by noting, in the database
/// itself, how far the replica has pushed.
struct PushBatch {
    /// From the arguments of the step that notes it; the last one if there are several.
    let position: PushPosition
    /// The index of that step.
    let positionStepIndex: Int

    /// Nil for a batch of any other kind.
    init?(_ batch: Batch) {
        // The note comes last but one, so this ends at once for a push, however long it is; and
        // SQL texts without the table's name are not looked at twice.
        for (index, step) in batch.steps.enumerated().reversed() {
            guard let sql = step.statement.text.sql, Self.notesPosition(sql) else { continue }
            guard let position = Self.position(in: step.statement.arguments) else { continue }
            self.position = position
            positionStepIndex = index
            return
        }
        return nil
    }

    /// Recognises `INSERT INTO turso_sync_last_change_id(…) … ON CONFLICT(client_id) …`, whatever
    /// its spaces and letters' case.
    static func notesPosition(_ sql: String) -> Bool {
        // Row changes may be long; none of the deployed clients writes a long note.
        guard (64...1024).contains(sql.utf8.count) else { return false }
        let squeezed = sql.lowercased().filter { !$0.isWhitespace }
        return squeezed.hasPrefix("insertintoturso_sync_last_change_id(")
            && squeezed.contains("onconflict(client_id)")
    }

    private static func position(in arguments: [SQLValue]) -> PushPosition? {
        guard arguments.count == 3, case .text(let client) = arguments[0],
            case .integer(let generation) = arguments[1], case .integer(let change) = arguments[2]
        else { return nil }
        return PushPosition(clientID: client, pullGeneration: generation, changeID: change)
    }
}
