internal import SQLite
internal import Storage
internal import WireProtocol

/// Checkpoints that a client asks for. SQLite never runs one on a client's connection: only the
/// storage knows what has to be saved and recorded before.
extension StatementRunner {
    /// Carries out `PRAGMA wal_checkpoint` in SQLite's place: one row with what SQLite says.
    func runCheckpoint<Output: StatementOutput>(
        _ mode: CheckpointMode, _ statement: SQLite.Statement, wantsRows: Bool,
        into output: inout Output
    ) throws(StepFailure) {
        let result = try checkpoint(mode)
        output.begin(statement)
        if wantsRows {
            output.row(of: [
                .integer(result.isBusy ? 1 : 0), .integer(Int64(result.walFrameCount)),
                .integer(Int64(result.checkpointedFrameCount)),
            ])
        }
        output.end(affectedRowCount: 0, lastInsertRowID: nil)
    }

    /// A VACUUM writes every page to the WAL, so that one begins with an empty file. Where that is
    /// not to be had, the VACUUM works as well.
    func truncateWALBeforeVacuum() {
        if connection.isAutocommit { _ = try? checkpoint(.truncate) }
    }

    private func checkpoint(_ mode: CheckpointMode) throws(StepFailure) -> CheckpointResult {
        guard case .writer(_, let checkpoint) = role else { throw .needsWriter }
        guard connection.isAutocommit else { throw .rejected(SQLFailure(.locked)) }
        do {
            return try checkpoint(mode)
        } catch StorageError.sqlite(let error) {
            throw .broken(SQLFailure(error))
        } catch {
            throw .storage(error)
        }
    }
}
