package import Primitives
package import Storage
internal import Synchronization

/// The frame pushes that are under way, and when somebody pushed last; those of all databases. Safe
/// to use from any thread.
package final class OngoingPushes: Sendable {
    private struct State {
        var staging: FrameStaging
        var unfinished: [DatabaseID: UnfinishedPushes] = [:]
        /// Of databases that somebody pushed to within `quietTime`; older ones are removed.
        var lastPushes: [DatabaseID: ContinuousClock.Instant] = [:]
        var nextSweep: ContinuousClock.Instant
    }

    private let state: Mutex<State>
    private let quietTime: Duration
    private let start: ContinuousClock.Instant
    private let now: @Sendable () -> ContinuousClock.Instant

    /// - Parameters:
    ///   - byteLimit: of all frames that are staged.
    ///   - timeout: after which a push that is not continued ends.
    ///   - quietTime: without a push, after which a database is quiet.
    package init(
        byteLimit: Int, timeout: Duration = .seconds(60), quietTime: Duration = .seconds(60),
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.quietTime = quietTime
        self.now = now
        start = now()
        state = Mutex(
            State(
                staging: FrameStaging(byteLimit: byteLimit, timeout: timeout),
                nextSweep: start + quietTime))
    }

    /// Uses the staged frames; for a few lines, never across a call out.
    package func withStaging<Result: Sendable>(
        _ use: (inout FrameStaging, ContinuousClock.Instant) -> Result
    ) -> Result {
        let now = now()
        return state.withLock { use(&$0.staging, now) }
    }

    /// A generation of a database began in this process.
    package func began(generation: UInt32, of database: Database) {
        changeUnfinished(of: database) { $0.began(generation: generation) }
    }

    package func unfinished(of database: Database) -> UnfinishedPushes {
        changeUnfinished(of: database) { _ in }
    }

    /// - Returns: them after the change.
    @discardableResult
    private func changeUnfinished(
        of database: Database, _ change: (inout UnfinishedPushes) -> Void
    ) -> UnfinishedPushes {
        let id = database.databaseID
        let isKnown = state.withLock { $0.unfinished[id] != nil }
        // What this process notes from now on begins with what former ones did.
        let found = isKnown ? UnfinishedPushes() : .init(found: database.unfinishedFrames)
        return state.withLock { state in
            change(&state.unfinished[id, default: found])
            return state.unfinished[id, default: found]
        }
    }

    /// Notes what the client of a push is about to be told was taken. Durable when it returns.
    func willTake(
        _ staged: StagedFrames, under baton: PushBaton, of database: Database
    ) throws(StorageError) {
        let unfinished = changeUnfinished(of: database) { $0.willTake(staged, under: baton) }
        try database.noteUnfinished(unfinished.frames)
    }

    /// Notes that nothing else of a push is unfinished. Call when its commits are durable.
    func took(_ staged: StagedFrames, under baton: PushBaton, of database: Database) {
        let unfinished = changeUnfinished(of: database) { $0.took(staged, under: baton) }
        // Where this cannot be written, clients send more again than they have to.
        try? database.noteUnfinished(unfinished.frames)
    }

    /// Notes that somebody pushes to a database.
    package func pushed(to database: DatabaseID) {
        let now = now()
        state.withLock { state in
            if state.nextSweep <= now {
                state.lastPushes = state.lastPushes.filter { $0.value + quietTime > now }
                state.nextSweep = now + quietTime
            }
            state.lastPushes[database] = now
            state.staging.expire(now: now)
        }
    }

    /// Whether nobody has pushed to a database for a while. What was before the start of the
    /// process is not known, so that counts as a push.
    package func isQuiet(_ database: DatabaseID) -> Bool {
        let now = now()
        let last = state.withLock { $0.lastPushes[database] } ?? start
        return last + quietTime <= now
    }
}
