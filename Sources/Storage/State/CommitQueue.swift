package import Primitives

/// The commits of a database that are not durable yet, and the answers that wait until they are.
/// Pure: its owner flushes and delivers.
///
///     written ── flush begins ──> covered ── it succeeds ──> durable
///        └───────────┴── a flush or a write fails ──> lost
///
/// The newest durable commit is the *head*; it is what everybody is shown. The newest one that
/// SQLite has written is the *tip*. SQL sees the tip, so an answer to SQL waits until what was the
/// tip at its end is durable.
///
/// Invariants: `head <= tip`; commits become durable in their order, and answers leave in theirs; at
/// most one flush runs.
package struct CommitQueue<Commit, Answer> {
    package private(set) var head: CommitNumber
    package private(set) var tip: CommitNumber
    /// Nothing becomes durable any more.
    package private(set) var hasFailed = false
    /// What is not durable is known to be lost.
    private var isOver = false
    /// A flush runs, or what it made durable is being handed out.
    package private(set) var isFlushing = false
    /// Those after `head`, in order.
    package private(set) var commits: [Commit] = []
    private var answers: [(commit: CommitNumber, answer: Answer)] = []
    /// The newest commit that the running flush covers.
    private var covered: CommitNumber
    private var isFlushRequested = false
    /// SQLite is about to show a commit that is not in `commits` yet.
    private var isShowing = false

    package init(head: CommitNumber) {
        self.head = head
        tip = head
        covered = head
    }

    package var hasPending: Bool { tip > head }

    // MARK: commits

    /// SQLite has written a commit's last frame: from now on readers may see it.
    package mutating func commitShows() { isShowing = true }

    package mutating func append(_ commit: Commit) {
        tip = tip.next
        if !hasFailed { commits.append(commit) }
    }

    /// The transaction that may have shown a commit is over, and what it committed was appended.
    ///
    /// - Returns: answers that need not wait any more, because it came to nothing.
    package mutating func transactionEnded() -> [Answer] {
        isShowing = false
        var index = answers.count
        while index > 0, answers[index - 1].commit > tip {
            index -= 1
            answers[index].commit = tip
        }
        return takeAnswers()
    }

    // MARK: answers

    package enum Standing: Equatable { case ready, waiting, lost }

    /// Keeps an answer until everything is durable that it may have seen. If that is so now, or
    /// never will be, it is not kept.
    package mutating func add(_ answer: Answer) -> Standing {
        let seen = isShowing ? tip.next : tip
        if seen <= head { return .ready }
        if isOver { return .lost }
        answers.append((seen, answer))
        return .waiting
    }

    private mutating func takeAnswers() -> [Answer] {
        let count = answers.firstIndex { $0.commit > head } ?? answers.count
        defer { answers.removeFirst(count) }
        return answers[..<count].map(\.answer)
    }

    // MARK: flushes

    /// True if somebody must be asked to flush: something is pending and nobody will.
    package mutating func requestFlush() -> Bool {
        guard hasPending, !hasFailed, !isFlushing, !isFlushRequested else { return false }
        isFlushRequested = true
        return true
    }

    /// The same, if an answer waits for what is pending.
    package mutating func requestFlushForAnswers() -> Bool { !answers.isEmpty && requestFlush() }

    /// The flush that was requested begins now, or is not needed.
    package mutating func requestIsMet() { isFlushRequested = false }

    /// True if the caller must flush now, all that is written by then.
    package mutating func beginFlush() -> Bool {
        guard hasPending, !hasFailed, !isFlushing else { return false }
        isFlushing = true
        covered = tip
        return true
    }

    /// Everything that was written when the flush began is durable.
    ///
    /// - Returns: the commits to be shown, then the answers to be given, both in order.
    package mutating func flushSucceeded() -> (commits: [Commit], answers: [Answer]) {
        precondition(isFlushing, "nothing was being flushed")
        let count = Int(covered.rawValue - head.rawValue)
        let durable = Array(commits[..<count])
        commits.removeFirst(count)
        head = covered
        return (durable, takeAnswers())
    }

    /// What the flush made durable was handed out.
    package mutating func flushEnded() {
        precondition(isFlushing, "nothing was being flushed")
        isFlushing = false
    }

    /// Nobody knows what the flush made durable; `fail` must follow.
    package mutating func flushFailed() {
        flushEnded()
        hasFailed = true
    }

    /// A write failed: no flush begins any more. One that runs may still succeed; then `fail` must
    /// follow.
    package mutating func stop() { hasFailed = true }

    /// A flush or a write failed: what is not durable is lost.
    ///
    /// - Precondition: no flush runs, and none can begin.
    /// - Returns: the answers that must not be given.
    package mutating func fail() -> [Answer] {
        precondition(hasFailed && !isFlushing, "a flush may still make commits durable")
        isOver = true
        commits = []
        defer { answers = [] }
        return answers.map(\.answer)
    }
}
