internal import Dispatch

/// Group commit: SQLite writes commits without a flush, and one flush makes durable all that were
/// written when it began. Only then are they shown and their answers given, while the writer lane
/// goes on with the next transactions. `CommitQueue` has the rules.
extension Database {
    /// Calls `answer` once everything is durable that its caller may have seen, or with the reason
    /// why that will never be; at once if nothing is pending.
    func whenDurable(_ answer: @escaping Answer) {
        switch state.withLock({ $0.commits.add(answer) }) {
        case .ready: answer(nil)
        case .lost: answer(.databaseFailed(name))
        case .waiting: break
        }
    }

    /// What SQLite does to the WAL, on the writer lane.
    func take(_ event: WALRecorder.Event) {
        switch event {
        case .shows: state.withLock { $0.commits.commitShows() }
        case .committed(let commit): take(commit)
        case .ended:
            for answer in state.withLock({ $0.commits.transactionEnded() }) { answer(nil) }
            // The job may have much to do yet.
            requestFlushForAnswers()
        }
    }

    private func take(_ commit: WALRecorder.Commit) {
        precondition(
            metaFile.meta.epochs.entries.last?.epoch == epoch, "a commit without its epoch")
        state.withLock { state in
            if let salts = commit.newSalts {
                precondition(!state.commits.hasPending, "the WAL started over under a commit")
                walSalts = salts
                walBase = state.commits.tip
                state.hasFreshWAL = true
            }
            state.commits.append(commit)
            state.pendingFrameCount += commit.pages.count
        }
    }

    // MARK: flushing

    /// Call behind every job of the writer. Where others wait, a worker flushes while the lane goes
    /// on with them; where nobody does, the thread itself does so, when it has left the lane.
    func requestFlush() {
        guard writerLane.hasWaiting, state.withLock({ $0.commits.requestFlush() }) else { return }
        submitFlush()
    }

    /// Has a worker flush if an answer waits for that, however long a job keeps the writer lane.
    func requestFlushForAnswers() {
        if state.withLock({ $0.commits.requestFlushForAnswers() }) { submitFlush() }
    }

    /// The flush was requested.
    private func submitFlush() {
        workers.submit { [self] in
            state.withLock { $0.commits.requestIsMet() }
            flush()
        }
    }

    /// Flushes what is pending, unless somebody does. Not on the writer lane.
    func flush() {
        guard state.withLock({ $0.commits.beginFlush() }) else { return }
        performFlush()
        // More was written meanwhile. Other databases' turn comes first.
        if state.withLock({ $0.commits.requestFlush() }) { submitFlush() }
    }

    /// Makes everything durable, on the writer lane: behind it the tip is the head, until the lane
    /// writes again, and all answers to what was written are given.
    func flushPending() throws(StorageError) {
        while true {
            awaitRunningFlush()
            let (mustFlush, hasFailed, isDone) = state.withLock { state in
                let isDone = !state.commits.hasPending && !state.commits.isFlushing
                return (state.commits.beginFlush(), state.commits.hasFailed, isDone)
            }
            if hasFailed { throw .databaseFailed(name) }
            if isDone { return }
            // If another thread was first, its flush is awaited.
            if mustFlush { performFlush() }
        }
    }

    /// Waits until no flush runs, however it ends. On the writer lane.
    func awaitRunningFlush() {
        let waiter = DispatchSemaphore(value: 0)
        let mustWait = state.withLock { state -> Bool in
            guard state.commits.isFlushing else { return false }
            state.flushWaiter = waiter
            return true
        }
        if mustWait { waiter.wait() }
    }

    private func performFlush() {
        do throws(StorageError) {
            try walFile.synchronize(for: .commit)
            publish()
        } catch {
            sharedFile.noteFailure()
            beginClosing(.databaseFailed(name))
            endFlush { $0.flushFailed() }
            // Behind the job that runs now, if one does.
            writerLane.submitAlways { [self] in settleFailure() }
        }
    }

    /// What the flush covered is durable: it becomes visible, then its answers leave.
    private func publish() {
        let (answers, waiters) = state.withLock { state -> ([Answer], [Waiter]) in
            let (commits, answers) = state.commits.flushSucceeded()
            for commit in commits { state.show(commit) }
            defer { state.waiters = [:] }
            return (answers, Array(state.waiters.values))
        }
        // Waking them is no work for those who wait for the flush.
        if !waiters.isEmpty { workers.submit { for waiter in waiters { waiter.wake() } } }
        for answer in answers { answer(nil) }
        endFlush { $0.flushEnded() }
    }

    private func endFlush(
        _ change: (inout CommitQueue<WALRecorder.Commit, Answer>) -> Void
    ) {
        let waiter = state.withLock { state -> DispatchSemaphore? in
            change(&state.commits)
            defer { state.flushWaiter = nil }
            return state.flushWaiter
        }
        waiter?.signal()
    }
}

extension Database.Shared {
    fileprivate mutating func show(_ commit: WALRecorder.Commit) {
        if commit.newSalts != nil {
            books.walStartedOver()
            hasFreshWAL = false
        }
        pendingFrameCount -= commit.pages.count
        books.append(pages: commit.pages, databaseSize: commit.databaseSize)
    }

    /// The WAL as a checkpoint would find it, with what is not durable yet.
    var wal: CheckpointSchedule.WAL {
        let before = hasFreshWAL ? 0 : Int(books.lastFrame)
        return .init(
            lastFrame: before + pendingFrameCount,
            pendingCount: books.walFrameCount + pendingFrameCount)
    }
}
