internal import Synchronization

/// A fair, bounded queue of jobs on a `WorkerPool`, of which at most `width` run at a time.
///
/// A lane of width one is a database's writer: jobs run one after another in the order of their
/// submission, and a waiting job holds no thread. A thread that has come to a lane runs some of
/// its jobs one after another, because a change of threads costs more than a short job; then it
/// goes to the end of the pool's list, so a busy lane cannot starve the others.
///
/// A lane of width one can be held: a job that calls `hold` keeps the others waiting beyond its end,
/// without a thread, until a job that came by `resume` has run and held it no more.
package final class Lane: Sendable {
    private struct State {
        var waiting = Queue<WorkerPool.Job>()
        var runningCount = 0
        var hold = Hold.none

        /// Nil if the thread that asks has left the lane.
        mutating func next() -> WorkerPool.Job? {
            switch hold {
            case .resuming(let job):
                hold = .none
                return job
            case .held: hold = .parked
            case .parked: preconditionFailure("a thread came to a lane that is held")
            case .none:
                if let job = waiting.popFirst() { return job }
                runningCount -= 1
            }
            return nil
        }
    }

    /// From `hold` to the beginning of the job that `resume` brings.
    private enum Hold {
        case none
        /// The job that called `hold` still runs.
        case held
        /// It has ended: nothing runs, nobody is let in, and no thread waits.
        case parked
        case resuming(WorkerPool.Job)
    }

    /// What a thread does before it gives others a turn; whichever comes first.
    private static let turnJobCount = 64
    private static let turnTime = Duration.milliseconds(2)

    private let pool: WorkerPool
    private let width: Int
    private let limit: Int
    private let whenLeft: WorkerPool.Job?
    private let state = Mutex(State())

    /// - Parameters:
    ///   - width: how many jobs may run at the same time, at least 1.
    ///   - limit: how many jobs may wait; `submit` refuses more.
    ///   - whenLeft: called by a thread that has left the lane because no job was waiting, or it is
    ///     held; others may be at work in the lane by then.
    package init(
        pool: WorkerPool, width: Int = 1, limit: Int = .max, whenLeft: WorkerPool.Job? = nil
    ) {
        precondition(width > 0)
        self.pool = pool
        self.width = width
        self.limit = limit
        self.whenLeft = whenLeft
    }

    /// Adds a job behind those that wait. False, and the job is dropped, if the lane is full.
    package func submit(_ job: @escaping WorkerPool.Job) -> Bool { submit(job, limit: limit) }

    /// Adds a job even if the lane is full: for the few that must run, such as closing.
    package func submitAlways(_ job: @escaping WorkerPool.Job) { _ = submit(job, limit: .max) }

    private func submit(_ job: @escaping WorkerPool.Job, limit: Int) -> Bool {
        let decision = state.withLock { state -> (accepted: Bool, start: Bool) in
            guard state.waiting.count < limit else { return (false, false) }
            state.waiting.append(job)
            guard state.runningCount < width else { return (true, false) }
            state.runningCount += 1
            return (true, true)
        }
        if decision.start { pool.submit { self.takeTurn() } }
        return decision.accepted
    }

    /// Jobs that wait or run; a lane that is held counts as one that runs.
    package var count: Int { state.withLock { $0.waiting.count + $0.runningCount } }

    /// Whether a job waits behind those that run.
    package var hasWaiting: Bool { state.withLock { !$0.waiting.isEmpty } }

    /// Keeps the lane beyond the end of the job that calls this, until the job that `resume` brings.
    package func hold() {
        precondition(width == 1, "a lane that several jobs share cannot be held")
        state.withLock { state in
            guard case .none = state.hold, state.runningCount == 1 else {
                preconditionFailure("only the running job holds its lane, and once")
            }
            state.hold = .held
        }
    }

    /// Runs `job` next, in the place of the one that called `hold`, whether that has ended or not.
    /// Call it once for each `hold`; the job may hold the lane again.
    package func resume(_ job: @escaping WorkerPool.Job) {
        let isParked = state.withLock { state -> Bool in
            defer { state.hold = .resuming(job) }
            switch state.hold {
            case .held: return false
            case .parked: return true
            case .none, .resuming: preconditionFailure("nobody holds the lane")
            }
        }
        if isParked { pool.submit { self.takeTurn() } }
    }

    private func takeTurn() {
        let end = ContinuousClock.now + Self.turnTime
        var count = 0
        while let job = state.withLock({ $0.next() }) {
            job()
            count += 1
            if count == Self.turnJobCount || ContinuousClock.now >= end {
                pool.submit { self.takeTurn() }
                return
            }
        }
        whenLeft?()
    }
}
