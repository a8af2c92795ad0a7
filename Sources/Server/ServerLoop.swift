internal import Execution
internal import HTTP
internal import Logging
internal import Transport

/// The connections of one event loop, and what they share.
///
/// `@unchecked Sendable`: the variables belong to the loop's thread.
final class ServerLoop: @unchecked Sendable {
    let loop: EventLoop
    let configuration: HTTPServerConfiguration
    let workers: WorkerPool
    let logger: Logger
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    private var dateSecond = -1
    private var dateText = ""
    private var whenDrained: (() -> Void)?
    private(set) var isDraining = false

    init(
        loop: EventLoop, configuration: HTTPServerConfiguration, workers: WorkerPool,
        logger: Logger
    ) {
        self.loop = loop
        self.configuration = configuration
        self.workers = workers
        self.logger = logger
    }

    /// For the Date field; made anew once a second.
    var date: String {
        let second = loop.wallClockSeconds
        if second != dateSecond {
            dateSecond = second
            dateText = HTTPDate.text(secondsSince1970: second)
        }
        return dateText
    }

    /// Takes over a socket that was just accepted.
    func add(_ socket: StreamSocket, service: Service) {
        let connection = HTTPConnection(socket: socket, owner: self, service: service)
        connections[ObjectIdentifier(connection)] = connection
        connection.start()
    }

    /// Called by every connection when its socket is closed.
    func remove(_ connection: HTTPConnection) {
        connections[ObjectIdentifier(connection)] = nil
        reportIfDrained()
    }

    /// Lets requests that are under way finish and closes everything else.
    ///
    /// - Parameter completion: called once, when no connection is left.
    func drain(_ completion: @escaping () -> Void) {
        isDraining = true
        whenDrained = completion
        for connection in Array(connections.values) { connection.drain() }
        reportIfDrained()
    }

    /// Closes every connection, whatever it is doing.
    func cutAll() {
        for connection in Array(connections.values) { connection.tearDown(reset: true) }
    }

    private func reportIfDrained() {
        guard connections.isEmpty, let completion = whenDrained else { return }
        whenDrained = nil
        completion()
    }
}
