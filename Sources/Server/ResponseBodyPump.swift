internal import Execution
internal import HTTP
internal import Synchronization

/// Calls a body source on the worker threads, one call at a time, and sees to it that it is closed
/// exactly once, also when the client goes away in the middle of a call.
final class ResponseBodyPump: Sendable {
    enum Outcome: Sendable {
        case chunk(HTTPBodyPiece)
        case end
        case failed(any Error)
    }

    private enum State {
        case idle
        case running
        /// Running, and to be closed afterwards.
        case cancelled
        case closed
    }

    private let source: any HTTPBodySource
    private let workers: WorkerPool
    private let state = Mutex(State.idle)

    init(source: any HTTPBodySource, workers: WorkerPool) {
        self.source = source
        self.workers = workers
    }

    /// Asks for the next piece. The source is closed before the last piece, `.end` or `.failed` is
    /// delivered.
    ///
    /// - Parameter deliver: called on a worker thread; not called after `cancel`.
    func requestNext(maximumBytes: Int, deliver: @escaping @Sendable (Outcome) -> Void) {
        let isIdle = state.withLock { state -> Bool in
            guard case .idle = state else { return false }
            state = .running
            return true
        }
        precondition(isIdle, "one piece at a time")
        workers.submit { self.run(maximumBytes: maximumBytes, deliver) }
    }

    private func run(maximumBytes: Int, _ deliver: @Sendable (Outcome) -> Void) {
        let outcome: Outcome
        do {
            if let chunk = try source.nextChunk(maximumBytes: maximumBytes) {
                outcome = .chunk(chunk)
            } else {
                outcome = .end
            }
        } catch {
            outcome = .failed(error)
        }
        let (isCancelled, closes) = state.withLock { state -> (Bool, Bool) in
            if case .cancelled = state {
                state = .closed
                return (true, true)
            }
            if case .chunk(let piece) = outcome, !piece.isLast {
                state = .idle
                return (false, false)
            }
            state = .closed
            return (false, true)
        }
        if closes { source.close() }
        if !isCancelled { deliver(outcome) }
    }

    /// Nothing more is wanted. From any thread, any number of times.
    func cancel() {
        let closesNow = state.withLock { state -> Bool in
            switch state {
            case .idle:
                state = .closed
                return true
            case .running:
                state = .cancelled
                return false
            case .cancelled, .closed:
                return false
            }
        }
        if closesNow { workers.submit { self.source.close() } }
    }
}
