package import SQLite

/// Decides when a database is due for a checkpoint, and how hard that one pushes. Pure: its owner
/// tells it what happened, and runs what it asks for.
///
/// The tiers, in the order in which they are looked at behind every job of the writer:
///
/// | tier | due | mode |
/// | --- | --- | --- |
/// | truncate | the WAL file has `truncateFrameCount` frames | PASSIVE, then TRUNCATE |
/// | page count | `minimumFrameCount` frames are not in the main file | PASSIVE |
/// | interval | so long since the last checkpoint, and frames are not in the main file | PASSIVE |
///
/// A checkpoint that could not finish is tried again when `minimumFrameCount` more frames are
/// there, when the interval is over once more, or when the reader in its way was ended.
package struct CheckpointSchedule {
    package struct Tiers: Sendable {
        /// 0: never.
        package var truncateFrameCount: Int
        /// At least 1.
        package var minimumFrameCount: Int
        /// Zero: never.
        package var interval: Duration

        package init(truncateFrameCount: Int, minimumFrameCount: Int, interval: Duration) {
            self.truncateFrameCount = truncateFrameCount
            self.minimumFrameCount = max(1, minimumFrameCount)
            self.interval = interval
        }
    }

    /// What the WAL holds, in frames.
    package struct WAL: Equatable, Sendable {
        /// The number of its last committed frame: how long the file is, in use.
        package var lastFrame: Int
        /// Frames that are not in the main file.
        package var pendingCount: Int

        package init(lastFrame: Int, pendingCount: Int) {
            self.lastFrame = lastFrame
            self.pendingCount = pendingCount
        }
    }

    package typealias Instant = ContinuousClock.Instant

    private let tiers: Tiers
    private var lastEnd: Instant
    /// Pending frames at which the page count is due: more than its minimum after a checkpoint
    /// that could not finish.
    private var pageThreshold: Int
    /// The same for the truncating tier, in frames of the file.
    private var truncateThreshold = 0
    /// The file grew too long and could not be truncated, though by now it may have few frames.
    private var owesTruncation = false
    private var mustRetry = false
    private var isTimerSet = false
    private var hasTimerFired = false

    package init(tiers: Tiers, now: Instant) {
        self.tiers = tiers
        lastEnd = now
        pageThreshold = tiers.minimumFrameCount
    }

    /// The mode of the checkpoint that is due now, if one is.
    package func dueMode(_ wal: WAL, now: Instant) -> CheckpointMode? {
        let isOver = mustRetry || (hasTimerFired && now - lastEnd >= tiers.interval)
        if isTooLong(wal), isOver || wal.lastFrame >= truncateThreshold { return .truncate }
        let isOverdue = isOver && hasWork(wal)
        guard isOverdue || wal.pendingCount >= pageThreshold else { return nil }
        return owesTruncation ? .truncate : .passive
    }

    /// A checkpoint came to its end, by itself or by hand, or failed.
    ///
    /// - Parameters:
    ///   - wal: what it left.
    ///   - reachedItsEnd: it did all that its mode promises.
    package mutating func ended(
        _ mode: CheckpointMode, reachedItsEnd: Bool, _ wal: WAL, now: Instant
    ) {
        lastEnd = now
        mustRetry = false
        hasTimerFired = false
        let minimum = tiers.minimumFrameCount
        pageThreshold = wal.pendingCount == 0 ? minimum : wal.pendingCount + minimum
        guard mode == .truncate else { return }
        owesTruncation = !reachedItsEnd && (owesTruncation || isTooLong(wal))
        truncateThreshold = reachedItsEnd ? 0 : wal.lastFrame + minimum
    }

    /// A reader that was in a checkpoint's way was ended: it can go on.
    package mutating func retry() { mustRetry = true }

    // MARK: the timer

    /// How long the owner has to wait before it calls `timerFired`; nil if it need not, because
    /// nothing is left to do or it waits already.
    package mutating func timerDelay(_ wal: WAL, now: Instant) -> Duration? {
        guard tiers.interval > .zero, !isTimerSet, hasWork(wal) else { return nil }
        isTimerSet = true
        defer { hasTimerFired = false }
        // Fired too early: another tier's checkpoint came between.
        return hasTimerFired ? max(.zero, tiers.interval - (now - lastEnd)) : tiers.interval
    }

    /// Call on the writer's lane before `dueMode`.
    package mutating func timerFired() {
        isTimerSet = false
        hasTimerFired = true
    }

    private func isTooLong(_ wal: WAL) -> Bool {
        tiers.truncateFrameCount > 0 && wal.lastFrame >= tiers.truncateFrameCount
    }

    /// Something is left to do for a tier.
    package func hasWork(_ wal: WAL) -> Bool { wal.pendingCount > 0 || owesTruncation }
}
