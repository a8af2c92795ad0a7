internal import Logging
internal import Primitives

/// What becomes of a database when a write or a flush fails. On the writer lane.
extension Database {
    /// Before the files are closed: everything is durable, or known to be lost.
    func settle() {
        // If it fails, that is noted.
        try? flushPending()
        settleFailure()
    }

    /// Call behind every job: if a write or a flush failed, nothing that follows the last durable
    /// commit may be trusted, not even if it can be read. The tail of the WAL is cut off and the
    /// database closed. The next request opens it again, with all the checks of a start.
    func settleFailure() {
        guard sharedFile.hasFailed, !isFailureSettled else { return }
        isFailureSettled = true
        logger.error("database_failed", [("database", name.text)])
        beginClosing(.databaseFailed(name))
        state.withLock { $0.commits.stop() }
        // Its commits are durable, or they are lost with the others.
        awaitRunningFlush()
        let lost = state.withLock { $0.commits.fail() }
        do throws(StorageError) { try cutOffWALTail() } catch {
            state.withLock { $0.mustStayClosed = true }
            logger.error("wal_truncation_failed", [("database", name.text), ("error", "\(error)")])
        }
        // If that fails, too, the lineage breaks at worst.
        try? recordSpentWAL()
        for answer in lost { answer(.databaseFailed(name)) }
    }

    /// A checkpoint came to its end, and recording that failed; then SQLite may have begun to start
    /// the WAL over, and left a header that is torn.
    private func recordSpentWAL() throws(StorageError) {
        guard state.withLock({ $0.books.walFrameCount }) == 0 else { return }
        try metaFile.update(for: .metaCheckpointEnds) { $0.isWALSpent = true }
    }

    private func cutOffWALTail() throws(StorageError) {
        // All frames of a WAL that starts over are in the main file.
        let lastFrame = state.withLock { state in
            recorder.hasOnlyNewHeader || state.hasFreshWAL ? 0 : state.books.lastFrame
        }
        let end = WALScanner.pageOffset(frame: lastFrame + 1) - Int64(WALScanner.frameHeaderSize)
        guard try walFile.size() > end else { return }
        try walFile.truncate(to: end, for: .failedCommit)
        if lastFrame == 0 {
            // Written again, because its flush may be what failed. And SQLite takes a file that
            // is no longer than a header for none, and would draw salts that do not follow.
            var header = [UInt8](repeating: 0, count: WALScanner.headerSize)
            let size = header.count
            try walFile.readBytes(into: &header, at: 0)
            try walFile.write(header, at: 0, for: .failedCommit)
            try walFile.truncate(
                to: Int64(size + WALScanner.frameSize), for: .failedCommit)
        }
        try walFile.synchronize(for: .failedCommit)
    }
}
