internal import Glibc
internal import Logging
internal import Primitives
internal import SQLite

/// Checkpoints: copying the WAL's pages into the main file, on the writer lane.
///
/// The order is what keeps every crash harmless. First the images that snapshots still need are
/// saved; then the change file takes in all commits, durably; then meta says so, durably; only
/// then does SQLite write to the main file, and only a complete checkpoint lets the next commit
/// start the WAL over.
extension Database {
    func checkpointIfDue() {
        let isDue = state.withLock { state in
            state.closing == nil && state.books.walFrameCount >= state.checkpointThreshold
        }
        if isDue { checkpoint() }
    }

    private func checkpoint() {
        do {
            let result = try runCheckpoint()
            let minimum = max(1, options.minCheckpointPageCount)
            state.withLock { state in
                // A reader held it up: try again when as much has been written once more.
                state.checkpointThreshold =
                    result.isComplete ? minimum : state.books.walFrameCount + minimum
            }
            logger.debug(
                "checkpoint",
                [
                    ("database", name.text), ("frames", "\(result.walFrameCount)"),
                    ("complete", "\(result.isComplete)"),
                ])
        } catch {
            let minimum = max(1, options.minCheckpointPageCount)
            state.withLock { $0.checkpointThreshold = $0.books.walFrameCount + minimum }
            logger.warning(
                "checkpoint_failed", [("database", name.text), ("error", "\(error)")])
            if sharedFile.hasFailed { failed() }
        }
    }

    private func runCheckpoint() throws -> CheckpointResult {
        let recorded = changeFile.newestCommit
        let (plan, changes, head) = state.withLock { state in
            let plan = state.books.prepareCheckpoint(historyLimits, now: options.clock())
            return (plan, state.books.changes.changes(after: recorded), state.books.head)
        }
        let historySequence = try saveHistory(plan)
        if head > recorded { try changeFile.append(changes, upTo: head) }
        try metaFile.update { meta in
            meta.recordedCommit = head
            meta.walSalts = walSalts
            meta.walBase = walBase
            meta.historySequence = historySequence
            meta.isCheckpointing = true
        }
        state.withLock { $0.books.checkpointBegins() }
        let result = try writer.checkpoint(.passive)
        if sharedFile.hasFailed { throw StorageError.databaseFailed(name) }
        state.withLock { $0.books.checkpointEnded(isComplete: result.isComplete) }
        // The time is recorded, so it has to survive a power cut, too.
        try mainFile.synchronizeWithTimes()
        let stamp = try mainFile.status()
        try metaFile.update { meta in
            meta.isCheckpointing = !result.isComplete
            meta.mainFile = .init(size: stamp.size, modified: stamp.modified)
        }
        try rewriteChangesIfWorthwhile()
        return result
    }

    private func rewriteChangesIfWorthwhile() throws {
        let (pageCount, head) = state.withLock { ($0.books.databaseSize, $0.books.head) }
        guard changeFile.wantsRewrite(pageCount: pageCount) else { return }
        let all = state.withLock { $0.books.changes.changes(after: CommitNumber(0)) }
        precondition(head == metaFile.meta.recordedCommit, "a commit came between")
        try changeFile.rewrite(all, upTo: head)
    }
}

extension CheckpointResult {
    /// Every frame is in the main file.
    var isComplete: Bool { !isBusy && walFrameCount == checkpointedFrameCount }
}
