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
        let squeezed = squeeze(sql)
        let beginning = "insertintoturso_sync_last_change_id(".utf8
        let conflict = Array("onconflict(client_id)".utf8)
        guard squeezed.starts(with: beginning) else { return false }
        return (beginning.count...max(beginning.count, squeezed.count - conflict.count)).contains {
            squeezed[$0...].starts(with: conflict)
        }
    }

    /// In lower case and without white space, as far as ASCII goes; by bytes, because each push
    /// asks for it.
    private static func squeeze(_ sql: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(sql.utf8.count)
        for byte in sql.utf8 {
            switch byte {
            case 0x09...0x0D, 0x20: continue
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): bytes.append(byte | 0x20)
            default: bytes.append(byte)
            }
        }
        return bytes
    }

    private static func position(in arguments: [SQLValue]) -> PushPosition? {
        guard arguments.count == 3, case .text(let client) = arguments[0],
            case .integer(let generation) = arguments[1], case .integer(let change) = arguments[2]
        else { return nil }
        return PushPosition(clientID: client, pullGeneration: generation, changeID: change)
    }
}
