internal import Dispatch
internal import Synchronization

/// A fixed number of threads for work that blocks: SQLite, reads and flushes of files.
///
/// Event loops never block, so everything that may goes here. Each worker is one long-running
/// block on a serial Dispatch queue of its own, which takes jobs from one first-in-first-out
/// list. The number of threads is bounded, unlike that of a concurrent Dispatch queue whose jobs
/// block. More workers than cores pay off, because most of their time goes into waiting for the
/// disk.
package final class WorkerPool: Sendable {
    package typealias Job = @Sendable () -> Void

    private struct State {
        var jobs = Queue<Job>()
        var isStopping = false
    }

    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)
    private let running = DispatchGroup()
    private let threadCount: Int

    package init(threadCount: Int, name: String = "worker") {
        precondition(threadCount > 0)
        self.threadCount = threadCount
        for number in 0..<threadCount {
            running.enter()
            DispatchQueue(label: "tidemark.\(name).\(number)", qos: .userInitiated).async {
                self.runJobs()
                self.running.leave()
            }
        }
    }

    /// Adds a job behind all others. A job that is submitted after `stop` still runs if a worker
    /// is left; callers bound what they submit (see `Lane`).
    package func submit(_ job: @escaping Job) {
        state.withLock { $0.jobs.append(job) }
        available.signal()
    }

    /// Runs what is queued, then ends the threads and waits for them.
    package func stop() {
        state.withLock { $0.isStopping = true }
        for _ in 0..<threadCount { available.signal() }
        running.wait()
    }

    private func runJobs() {
        while true {
            available.wait()
            let (job, isStopping) = state.withLock { ($0.jobs.popFirst(), $0.isStopping) }
            if let job {
                job()
            } else if isStopping {
                return
            }
        }
    }
}
