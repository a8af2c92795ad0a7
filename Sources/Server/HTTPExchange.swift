internal import HTTP
internal import Synchronization
internal import Transport

/// One request that waits for its answer: carries the answer to the connection's loop, and word of
/// the client's end or the server's to the handler.
///
/// `@unchecked Sendable`: `timers` belongs to the connection's loop; the rest is under the lock.
final class HTTPExchange: @unchecked Sendable {
    typealias Action = @Sendable () -> Void

    private struct State {
        var isAnswered = false
        /// The last byte of the answer was handed over.
        var isComplete = false
        var isClientGone = false
        var isStopping: Bool
        var goneActions: [Action] = []
        var shutdownActions: [Action] = []
    }

    private let connection: HTTPConnection
    private let loop: EventLoop
    private let state: Mutex<State>
    private var timers: [LoopTimer] = []

    init(connection: HTTPConnection, isStopping: Bool) {
        self.connection = connection
        loop = connection.socket.loop
        state = Mutex(State(isStopping: isStopping))
    }

    // MARK: From any thread

    func respond(_ response: HTTPResponse) {
        let (isFirst, dropped) = state.withLock { state -> (Bool, [Action]) in
            defer { state.isAnswered = true }
            return (!state.isAnswered, state.shutdownActions.takeAll())
        }
        defer { withExtendedLifetime(dropped) {} }
        guard isFirst else { return connection.discard(response.body) }
        if loop.isCurrent {
            connection.answer(self, response)
        } else if !loop.post({ self.connection.answer(self, response) }) {
            connection.discard(response.body)
        }
    }

    func onClientGone(_ action: @escaping Action) {
        let runNow = state.withLock { state -> Bool in
            if state.isClientGone { return true }
            if !state.isComplete { state.goneActions.append(action) }
            return false
        }
        if runNow { action() }
    }

    func onShutdown(_ action: @escaping Action) {
        let runNow = state.withLock { state -> Bool in
            if state.isAnswered || state.isClientGone { return false }
            if !state.isStopping { state.shutdownActions.append(action) }
            return state.isStopping
        }
        if runNow { action() }
    }

    func schedule(after delay: Duration, _ action: @escaping Action) {
        if loop.isCurrent {
            setTimer(after: delay, action)
        } else {
            loop.post { self.setTimer(after: delay, action) }
        }
    }

    /// Nobody is left who could answer.
    func abandon() {
        // A client that went away needs no answer.
        let isOver = state.withLock { $0.isAnswered || $0.isClientGone }
        guard !isOver else { return }
        connection.reportAbandonedRequest()
        respond(.failure(status: 500, code: "internal", text: "the server failed to answer"))
    }

    // MARK: From the loop

    private func setTimer(after delay: Duration, _ action: @escaping Action) {
        guard isWaiting else { return }
        let (deadline, overflow) = loop.now.addingReportingOverflow(delay.nanoseconds)
        timers.append(
            loop.schedule(at: overflow ? .max : deadline) { [unowned self] in
                if isWaiting { action() }
            })
    }

    private var isWaiting: Bool { state.withLock { !$0.isAnswered && !$0.isClientGone } }

    func clientIsGone() {
        cancelTimers()
        // Actions are released outside of the lock: they may hold the last reference to what
        // answers through this exchange.
        let (actions, dropped) = state.withLock { state -> ([Action], [Action]) in
            guard !state.isClientGone && !state.isComplete else { return ([], []) }
            state.isClientGone = true
            return (state.goneActions.takeAll(), state.shutdownActions.takeAll())
        }
        for action in actions { action() }
        withExtendedLifetime(dropped) {}
    }

    func serverIsStopping() {
        let actions = state.withLock { state -> [Action] in
            state.isStopping = true
            return state.shutdownActions.takeAll()
        }
        for action in actions { action() }
    }

    /// The answer is complete, as far as this process is concerned.
    func complete() {
        cancelTimers()
        let dropped = state.withLock { state -> [Action] in
            state.isComplete = true
            return state.goneActions.takeAll() + state.shutdownActions.takeAll()
        }
        withExtendedLifetime(dropped) {}
    }

    /// To be called as soon as there is nothing left to wait for, since a timer holds what its
    /// action holds.
    func cancelTimers() {
        for timer in timers { loop.cancel(timer) }
        timers = []
    }
}

extension Array {
    /// Empties the array and returns what was in it.
    fileprivate mutating func takeAll() -> [Element] {
        defer { self = [] }
        return self
    }
}
