internal import Synchronization

/// A fair, bounded queue of jobs on a `WorkerPool`, of which at most `width` run at a time.
///
/// A lane of width one is a database's writer: jobs run one after another in the order of their
/// submission, and a waiting job holds no thread. A lane gives its thread back after every job,
/// so a busy lane cannot starve the others.
package final class Lane: Sendable {
    private struct State {
        var waiting = Queue<WorkerPool.Job>()
        var runningCount = 0
    }

    private let pool: WorkerPool
    private let width: Int
    private let limit: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - width: how many jobs may run at the same time, at least 1.
    ///   - limit: how many jobs may wait; `submit` refuses more.
    package init(pool: WorkerPool, width: Int = 1, limit: Int = .max) {
        precondition(width > 0)
        self.pool = pool
        self.width = width
        self.limit = limit
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
        if decision.start { pool.submit { self.runOne() } }
        return decision.accepted
    }

    /// Jobs that wait or run.
    package var count: Int { state.withLock { $0.waiting.count + $0.runningCount } }

    private func runOne() {
        if let job = state.withLock({ $0.waiting.popFirst() }) { job() }
        let goesOn = state.withLock { state -> Bool in
            if state.waiting.isEmpty {
                state.runningCount -= 1
                return false
            }
            return true
        }
        if goesOn { pool.submit { self.runOne() } }
    }
}
