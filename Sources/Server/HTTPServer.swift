internal import Dispatch
package import Execution
package import HTTP
package import Logging
internal import Synchronization
internal import Transport

/// An HTTP/1.1 server: any number of listeners, each with its own handler, over one set of event
/// loops.
///
/// Requests are read and answered on the loops; bodies that stream are made and taken on
/// `workers`. Call `stop` before letting go of it, and stop the workers after it.
package final class HTTPServer: Sendable {
    private struct State {
        var listeners: [SocketListener] = []
        var budgets: [ConnectionBudget] = []
        var nextLoop = 0
        var isStopping = false
    }

    private let configuration: HTTPServerConfiguration
    private let logger: Logger
    private let loops: [ServerLoop]
    private let state = Mutex(State())

    /// Starts the event loops; nothing is served before `start`.
    package init(
        configuration: HTTPServerConfiguration = HTTPServerConfiguration(), workers: WorkerPool,
        logger: Logger
    ) throws {
        precondition(configuration.loopCount > 0)
        self.configuration = configuration
        self.logger = logger
        loops = try (0..<configuration.loopCount).map { _ in
            ServerLoop(
                loop: try EventLoop(), configuration: configuration, workers: workers,
                logger: logger)
        }
        for (number, loop) in loops.enumerated() { loop.loop.start(name: "loop.\(number)") }
    }

    /// Whether everything `host` stands for can be reached from this machine only. May ask a name
    /// server.
    package static func isLoopback(host: String) throws -> Bool {
        try SocketAddress.resolve(host: host, port: 0).allSatisfy(\.isLoopback)
    }

    /// Serves `handler` on every address of `host`, and returns the first. May ask a name server.
    ///
    /// - Parameters:
    ///   - host: an address, or a name.
    ///   - port: 0 lets the system choose; every address gets the same.
    ///   - maximumConnections: over these addresses; the configuration's number if nil.
    package func start(
        host: String, port: UInt16, maximumConnections: Int? = nil, handler: any HTTPHandler
    ) throws -> BoundAddress {
        let addresses = try SocketAddress.resolve(host: host, port: port)
        let budget = ConnectionBudget(
            maximum: maximumConnections ?? configuration.maximumConnections)
        let service = Service(handler: handler, budget: budget)
        var opened: [SocketListener] = []
        for var address in addresses {
            if let first = opened.first { address.port = first.address.port }
            do throws(TransportError) {
                opened.append(try listen(on: address, service: service))
            } catch {
                // A name often has an IPv6 address on machines that do not speak IPv6.
                let isLast = address.description == addresses.last?.description
                if opened.isEmpty && isLast { throw error }
                logger.warning(
                    "address_skipped",
                    [("address", address.description), ("error", error.description)])
            }
        }
        guard let bound = opened.first?.address else {
            preconditionFailure("a host that was resolved has an address")
        }
        state.withLock { state in
            precondition(!state.isStopping, "the server was stopped")
            state.listeners += opened
            state.budgets.append(budget)
        }
        for listener in opened { listener.start() }
        return BoundAddress(host: bound.host, port: bound.port, description: bound.description)
    }

    private func listen(
        on address: SocketAddress, service: Service
    ) throws(TransportError) -> SocketListener {
        let loops = loops
        let loop = state.withLock { state -> ServerLoop in
            state.nextLoop += 1
            return loops[state.nextLoop % loops.count]
        }
        return try SocketListener(
            address: address, loop: loop.loop, targets: loops.map(\.loop),
            budget: service.budget, logger: logger
        ) { socket in
            guard let loop = loops.first(where: { $0.loop === socket.loop }) else {
                preconditionFailure("a connection came to a loop of another server")
            }
            loop.add(socket, service: service)
        }
    }

    /// Connections that are open, over all listeners.
    package var connectionCount: Int {
        state.withLock { $0.budgets }.reduce(0) { $0 + $1.count }
    }

    /// Stops, and returns when the last connection is closed and the loops have ended.
    ///
    /// New connections are refused and idle ones closed at once. Requests that are under way, also
    /// those whose answer is being streamed, may finish for as long as `grace`; long polls are
    /// told to end (`HTTPResponder.onShutdown`). What is left then is cut. Not from a handler.
    package func stop(grace: Duration) {
        let listeners = state.withLock { state -> [SocketListener]? in
            guard !state.isStopping else { return nil }
            state.isStopping = true
            return state.listeners
        }
        guard let listeners else { return }
        let closed = DispatchGroup()
        for listener in listeners {
            closed.enter()
            listener.stop { closed.leave() }
        }
        // Connections accepted last are with their loops now, ahead of the job that drains these.
        closed.wait()
        let drained = DispatchGroup()
        for loop in loops {
            drained.enter()
            loop.loop.post { loop.drain { drained.leave() } }
        }
        let patience = Int(clamping: grace.nanoseconds)
        if drained.wait(timeout: .now() + .nanoseconds(patience)) == .timedOut {
            logger.warning("requests_cut", [("connections", String(connectionCount))])
        }
        for loop in loops {
            loop.loop.post { loop.cutAll() }
            loop.loop.stop()
        }
    }
}
