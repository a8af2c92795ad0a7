internal import Glibc
package import Logging
internal import Synchronization

/// A listening socket on one event loop, which hands the connections it accepts to several loops
/// in turn.
///
/// Beyond the budget, and while the process or the system is out of descriptors or
/// memory, new connections are left in the kernel's backlog: their clients wait, which they
/// survive better than a refusal. Accepting goes on when a connection closes; after a shortage
/// also by timer, since what was short may be freed elsewhere.
///
/// `@unchecked Sendable`: the variables belong to `loop`'s thread.
package final class SocketListener: EventHandler, @unchecked Sendable {
    private static let backlog: Int32 = 1024
    private static let connectionsPerWakeUp = 64
    private static let retryInterval: UInt64 = 250_000_000

    /// As bound, with the port that was chosen if it was 0.
    package let address: SocketAddress
    private let descriptor: Int32
    private let loop: EventLoop
    private let targets: [EventLoop]
    private let budget: ConnectionBudget
    private let logger: Logger
    private let accepted: @Sendable (StreamSocket) -> Void
    /// Set by the loop; read by connections that close, on any loop.
    private let isPaused = Atomic<Bool>(false)
    private var retryTimer: LoopTimer?
    private var nextTarget = 0
    private var isOpen = true
    private var isWatched = false
    /// The shortage was logged, and no connection was accepted since.
    private var isShort = false

    /// Binds and listens; connections are accepted after `start`.
    ///
    /// - Parameters:
    ///   - targets: the loops that get the connections.
    ///   - accepted: called on the connection's loop; must start or close the socket.
    package init(
        address: SocketAddress, loop: EventLoop, targets: [EventLoop], budget: ConnectionBudget,
        logger: Logger, accepted: @escaping @Sendable (StreamSocket) -> Void
    ) throws(TransportError) {
        precondition(!targets.isEmpty)
        let descriptor = try SystemCall.makeSocket(family: address.family)
        do throws(TransportError) {
            let on: Int32 = 1
            SystemCall.setOption(descriptor, level: SOL_SOCKET, name: SO_REUSEADDR, value: on)
            if address.family == AF_INET6 {
                // An IPv4 listener on the same port is then possible beside it.
                SystemCall.setOption(
                    descriptor, level: Int32(IPPROTO_IPV6), name: IPV6_V6ONLY,
                    value: address.isAnyAddress ? 0 : on)
            }
            // Accepted sockets inherit these. Keep-alive finds clients that vanished without a
            // word while a long poll waits.
            SystemCall.setOption(
                descriptor, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, value: on)
            SystemCall.setOption(descriptor, level: SOL_SOCKET, name: SO_KEEPALIVE, value: on)
            try SystemCall.bind(descriptor, to: address)
            try SystemCall.listen(descriptor, backlog: Self.backlog)
            self.address = try SystemCall.localAddress(of: descriptor)
        } catch {
            SystemCall.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.loop = loop
        self.targets = targets
        self.budget = budget
        self.logger = logger
        self.accepted = accepted
    }

    /// Begins to accept. From any thread.
    package func start() {
        loop.post { self.resume() }
    }

    /// Accepts what clients take to be connected already, then closes the listening socket.
    /// `completion` is called on the loop.
    package func stop(completion: @escaping @Sendable () -> Void) {
        loop.post {
            if self.isOpen {
                self.acceptWaiting(limit: Int(Self.backlog))
                self.pause()
                self.isPaused.store(false, ordering: .sequentiallyConsistent)
                self.isOpen = false
                SystemCall.close(self.descriptor)
            }
            completion()
        }
    }

    // MARK: Loop's thread

    func handle(_ events: SocketEvents) {
        acceptWaiting(limit: Self.connectionsPerWakeUp)
    }

    private func acceptWaiting(limit: Int) {
        for _ in 0..<limit {
            guard !budget.isFull else { return pauseUntilOneCloses() }
            switch SystemCall.accept(descriptor) {
            case .value(let connection):
                isShort = false
                deliver(Int32(connection))
            case .wouldBlock:
                return
            case .failed(let code):
                switch code {
                case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                    return pauseForShortage(code)
                default:
                    // accept(2): errors of the connection that was to be accepted; it is gone.
                    logger.debug(
                        "accept_failed", [("error", unsafe String(cString: strerror(code)))])
                }
            }
        }
    }

    private func deliver(_ connection: Int32) {
        budget.opened()
        let target = targets[nextTarget]
        nextTarget = (nextTarget + 1) % targets.count
        let wasPosted = target.post {
            self.accepted(
                StreamSocket(descriptor: connection, loop: target) { self.connectionClosed() })
        }
        if !wasPosted {
            SystemCall.close(connection)
            connectionClosed()
        }
    }

    /// From the thread of the connection's loop.
    private func connectionClosed() {
        budget.closed()
        if isPaused.load(ordering: .sequentiallyConsistent) {
            loop.post { self.resume() }
        }
    }

    private func pauseUntilOneCloses() {
        pause()
        // One may have closed between the look at the count and the flag.
        if !budget.isFull { resume() }
    }

    private func pauseForShortage(_ code: Int32) {
        if !isShort {
            isShort = true
            logger.warning(
                "accept_paused",
                [
                    ("error", unsafe String(cString: strerror(code))),
                    ("connections", String(budget.count)),
                ])
        }
        pause()
        if retryTimer == nil {
            retryTimer = loop.schedule(at: loop.now + Self.retryInterval) { [self] in
                retryTimer = nil
                resume()
            }
        }
    }

    private func pause() {
        isPaused.store(true, ordering: .sequentiallyConsistent)
        if let timer = retryTimer {
            loop.cancel(timer)
            retryTimer = nil
        }
        guard isWatched else { return }
        isWatched = false
        loop.unwatch(descriptor)
    }

    private func resume() {
        guard isOpen, !isWatched else { return }
        do throws(TransportError) {
            isPaused.store(false, ordering: .sequentiallyConsistent)
            try loop.watch(descriptor, for: .readable, edgeTriggered: false, handler: self)
            isWatched = true
        } catch {
            if case .systemCall(_, let code) = error { pauseForShortage(code) }
        }
    }
}
