internal import Glibc
internal import Logging
internal import Primitives
package import SQLite
internal import Synchronization

/// Checkpoints: copying the WAL's pages into the main file, on the writer lane.
///
/// The order is what keeps every crash harmless. First all commits are flushed. Then the images that snapshots still need are
/// saved; then the change file takes in all commits, durably; then meta says so, durably; only
/// then does SQLite write to the main file, and only a complete checkpoint, once meta says that it
/// was, lets the next commit start the WAL over or SQLite empty it.
extension Database {
    /// Runs a checkpoint on the writer lane, behind all writers that came before, and calls
    /// `completion` with SQLite's numbers. Readers in its way are an answer, not an error.
    package func checkpoint(
        _ mode: CheckpointMode,
        completion: @escaping @Sendable (Result<CheckpointResult, StorageError>) -> Void
    ) {
        write(
            { session throws(StorageError) in try session.checkpoint(mode) },
            completion: completion)
    }

    /// Call behind every job of the writer.
    func checkpointIfDue() {
        let now = options.monotonicClock.now()
        let due = state.withLock { state in
            state.closing == nil ? state.schedule.dueMode(state.wal, now: now) : nil
        }
        // What went wrong is in the log, and the schedule tries again.
        if let due { _ = try? checkpoint(due) }
        setTimerIfNeeded()
    }

    private func setTimerIfNeeded() {
        let now = options.monotonicClock.now()
        let delay = state.withLock { state in
            state.closing == nil ? state.schedule.timerDelay(state.wal, now: now) : nil
        }
        guard let delay else { return }
        // Weak: a database that was closed meanwhile is not kept.
        options.monotonicClock.after(delay) { [weak self] in self?.decideAgain { $0.timerFired() } }
    }

    /// Tries again what a reader held up that was ended.
    func retryCheckpoint() { decideAgain { $0.retry() } }

    /// Has the writer lane look at the schedule after `change`; not if the database is closed.
    private func decideAgain(_ change: (inout CheckpointSchedule) -> Void) {
        state.withLock { change(&$0.schedule) }
        write({ _ in }, completion: { (_: Result<Void, StorageError>) in })
    }

    /// On the writer lane, outside of a transaction.
    func checkpoint(_ mode: CheckpointMode) throws(StorageError) -> CheckpointResult {
        do {
            let result = try runCheckpoint(mode)
            note(mode, result)
            logger.debug(
                "checkpoint",
                [
                    ("database", name.text), ("mode", mode.rawValue),
                    ("frames", "\(result.walFrameCount)"),
                    ("copied", "\(result.checkpointedFrameCount)"),
                    ("complete", "\(result.isComplete)"),
                ])
            return result
        } catch {
            note(mode, nil)
            logger.warning(
                "checkpoint_failed",
                [("database", name.text), ("mode", mode.rawValue), ("error", "\(error)")])
            switch error {
            case let error as StorageError: throw error
            case let error as SQLiteError: throw .sqlite(error)
            default: preconditionFailure("unexpected error type")
            }
        }
    }

    /// - Parameter result: nil if it failed.
    private func note(_ mode: CheckpointMode, _ result: CheckpointResult?) {
        let now = options.monotonicClock.now()
        let outcome: CheckpointRecord.Outcome =
            result.map { $0.isComplete ? .complete : .incomplete } ?? .failed
        let record = CheckpointRecord(
            mode: mode, outcome: outcome, result: result, time: Logger.timestamp())
        let isHeldUp = state.withLock { state in
            state.lastCheckpoint = record
            state.schedule.ended(
                mode, reachedItsEnd: outcome == .complete, state.wal, now: now)
            return outcome == .incomplete && state.schedule.hasWork(state.wal)
        }
        isCheckpointHeldUp.store(isHeldUp, ordering: .relaxed)
    }

    private func runCheckpoint(_ mode: CheckpointMode) throws -> CheckpointResult {
        // First, because what follows speaks of commits and lets go of the WAL they are in.
        try flushPending()
        let recorded = changeFile.newestCommit
        let (plan, changes, head) = state.withLock { state in
            let plan = state.books.prepareCheckpoint(historyLimits, now: options.clock())
            return (plan, state.books.changes.changes(after: recorded), state.books.head)
        }
        let historySequence = try saveHistory(plan)
        try archiveFrames()
        if head > recorded { try changeFile.append(changes, upTo: head) }
        try metaFile.update(for: .metaCheckpointBegins) { meta in
            meta.recordedCommit = head
            meta.walSalts = walSalts
            meta.walBase = walBase
            meta.historySequence = historySequence
            meta.isCheckpointing = true
            meta.isWALSpent = isWALSpent
        }
        let result = try copyAndReset(mode)
        try rewriteChangesIfWorthwhile()
        return result
    }

    /// Every mode begins with PASSIVE, which is in nobody's way and does most of the work. RESTART
    /// and TRUNCATE come last, when meta says that the WAL is spent: a crash behind them finds
    /// another WAL, or none. Where readers are in the way, those that had their time are ended
    /// while the others are waited for.
    private func copyAndReset(_ mode: CheckpointMode) throws -> CheckpointResult {
        let deadline = ContinuousClock.now + options.checkpointWait
        var result = try copyFrames(.passive)
        guard mode != .passive else { return result }
        if !result.isComplete {
            isCheckpointHeldUp.store(true, ordering: .relaxed)
            result = try copyFrames(.full, until: deadline)
        }
        guard mode != .full, result.isComplete else { return result }
        precondition(metaFile.meta.isWALSpent, "the WAL would go before that is recorded")
        result = try callSQLite(mode)
        if !result.isComplete {
            isCheckpointHeldUp.store(true, ordering: .relaxed)
            result = try callSQLite(mode, until: deadline)
        }
        if mode == .truncate, result.isComplete { walEmptied() }
        return result
    }

    /// Has SQLite copy frames to the main file, and records how far it came.
    private func copyFrames(
        _ mode: CheckpointMode, until deadline: ContinuousClock.Instant? = nil
    ) throws -> CheckpointResult {
        state.withLock { $0.books.checkpointBegins() }
        let result = try callSQLite(mode, until: deadline)
        state.withLock { $0.books.checkpointEnded(isComplete: result.isComplete) }
        // The time is recorded, so it has to survive a power cut, too.
        try mainFile.synchronizeWithTimes(for: .mainTimes)
        let stamp = try mainFile.status()
        try metaFile.update(for: .metaCheckpointEnds) { meta in
            meta.isCheckpointing = !result.isComplete
            meta.isWALSpent = result.isComplete
            meta.mainFile = .init(size: stamp.size, modified: stamp.modified)
        }
        return result
    }

    /// - Parameter deadline: until when it waits for readers; nil: not at all.
    private func callSQLite(
        _ mode: CheckpointMode, until deadline: ContinuousClock.Instant? = nil
    ) throws -> CheckpointResult {
        if let deadline { writer.setBusyTimeout(max(.zero, deadline - .now)) }
        defer { writer.setBusyTimeout(.zero) }
        let result = try writer.checkpoint(mode)
        if sharedFile.hasFailed { throw StorageError.databaseFailed(name) }
        return result
    }

    /// Every commit is in the main file, so far as the books know.
    private var isWALSpent: Bool { state.withLock { $0.books.walFrameCount == 0 } }

    /// SQLite made the WAL file empty. The next commit's salts may be any: a connection that never
    /// saw the old ones draws them.
    private func walEmptied() {
        walSalts = nil
        state.withLock { state in
            walBase = state.books.head
            state.books.walStartedOver()
        }
    }

    private func rewriteChangesIfWorthwhile() throws {
        let (pageCount, head) = state.withLock { ($0.books.databaseSize, $0.books.head) }
        let limit = options.changesRewriteSize
        guard changeFile.wantsRewrite(pageCount: pageCount, beyond: limit) else { return }
        let all = state.withLock { $0.books.changes.changes(after: CommitNumber(0)) }
        precondition(head == metaFile.meta.recordedCommit, "a commit came between")
        try changeFile.rewrite(all, upTo: head)
    }
}

extension CheckpointResult {
    /// Every frame is in the main file, and nobody was in the way of what else there was to do.
    var isComplete: Bool { !isBusy && walFrameCount == checkpointedFrameCount }
}
