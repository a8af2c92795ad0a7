internal import CSQLite

/// How hard a checkpoint pushes, as in `PRAGMA wal_checkpoint(MODE)`.
package enum CheckpointMode: String, CaseIterable, Sendable {
    case passive, full, restart, truncate
}

/// What SQLite says about a checkpoint.
package struct CheckpointResult: Equatable, Sendable {
    /// Readers or writers kept the checkpoint from reaching its end.
    package let isBusy: Bool
    /// Frames in the WAL; -1 if the database is not in WAL mode.
    package let walFrameCount: Int
    /// Of these, frames that are now in the database file.
    package let checkpointedFrameCount: Int

    package init(isBusy: Bool, walFrameCount: Int, checkpointedFrameCount: Int) {
        self.isBusy = isBusy
        self.walFrameCount = walFrameCount
        self.checkpointedFrameCount = checkpointedFrameCount
    }
}

extension Connection {
    package func checkpoint(_ mode: CheckpointMode) throws(SQLiteError) -> CheckpointResult {
        let number =
            switch mode {
            case .passive: SQLITE_CHECKPOINT_PASSIVE
            case .full: SQLITE_CHECKPOINT_FULL
            case .restart: SQLITE_CHECKPOINT_RESTART
            case .truncate: SQLITE_CHECKPOINT_TRUNCATE
            }
        var walFrameCount: Int32 = -1
        var checkpointedFrameCount: Int32 = -1
        let code = unsafe sqlite3_wal_checkpoint_v2(
            try open(), "main", number, &walFrameCount, &checkpointedFrameCount)
        // BUSY is an answer here, not a failure: the counts say how far it came.
        let isBusy = code & 0xFF == SQLITE_BUSY
        if !isBusy { try check(code) }
        return CheckpointResult(
            isBusy: isBusy, walFrameCount: Int(walFrameCount),
            checkpointedFrameCount: Int(checkpointedFrameCount))
    }
}
