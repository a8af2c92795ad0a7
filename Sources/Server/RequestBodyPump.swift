internal import Execution
internal import HTTP
internal import Synchronization

/// Calls a body sink on the worker threads, one call at a time, and sees to it that exactly one of
/// `finish` and `abort` ends it.
final class RequestBodyPump: Sendable {
    private enum State {
        case idle
        case running
        /// Running, and to be aborted afterwards.
        case cancelled
        case ended
    }

    private let sink: any HTTPBodySink
    private let workers: WorkerPool
    private let state = Mutex(State.idle)

    init(sink: any HTTPBodySink, workers: WorkerPool) {
        self.sink = sink
        self.workers = workers
    }

    /// - Parameter done: called on a worker thread, with the refusal if the sink had one, and then
    ///   the sink was aborted; not called after `cancel`.
    func write(_ bytes: [UInt8], done: @escaping @Sendable (HTTPRefusal?) -> Void) {
        begin()
        workers.submit {
            var refusal: HTTPRefusal?
            do throws(HTTPRefusal) {
                try self.sink.write(bytes)
            } catch {
                refusal = error
            }
            let isCancelled = self.state.withLock { state -> Bool in
                if case .cancelled = state {
                    state = .ended
                    return true
                }
                state = refusal == nil ? .idle : .ended
                return false
            }
            if isCancelled || refusal != nil { self.sink.abort() }
            if !isCancelled { done(refusal) }
        }
    }

    /// The body is complete.
    func finish(_ responder: any HTTPResponder) {
        begin()
        state.withLock { $0 = .ended }
        workers.submit { self.sink.finish(responder) }
    }

    /// The body will not be complete. From any thread, any number of times; nothing after
    /// `finish`.
    func cancel() {
        let abortsNow = state.withLock { state -> Bool in
            switch state {
            case .idle:
                state = .ended
                return true
            case .running:
                state = .cancelled
                return false
            case .cancelled, .ended:
                return false
            }
        }
        if abortsNow { workers.submit { self.sink.abort() } }
    }

    private func begin() {
        let isIdle = state.withLock { state -> Bool in
            guard case .idle = state else { return false }
            state = .running
            return true
        }
        precondition(isIdle, "one call at a time")
    }
}
