internal import HTTP
internal import Transport

/// One virtual client: carries out the operations of its session over its connection.
///
/// Loop's thread only.
final class LoadClient: HTTPClientOwner {
    enum State {
        case idle, busy
        /// After a failure, so that a dead server is not asked a million times a second.
        case resting
    }

    /// Of the body of an error that becomes part of its text.
    private static let failureTextSize = 200

    let session: any ClientSession
    private unowned let driver: LoadDriver
    private let loop: EventLoop
    private lazy var http = HTTPClientConnection(loop: loop, address: address, owner: self)
    private let address: SocketAddress
    private(set) var state = State.idle
    /// When the operation was due, and whether it counts.
    private(set) var dueAt: UInt64 = 0
    private(set) var isCounted = false
    private(set) var sentAt: UInt64 = 0
    private var bytes = 0
    private var failureText: [UInt8] = []

    init(
        session: any ClientSession, driver: LoadDriver, loop: EventLoop, address: SocketAddress
    ) {
        self.session = session
        self.driver = driver
        self.loop = loop
        self.address = address
    }

    func begin(dueAt: UInt64, isCounted: Bool) {
        precondition(state == .idle)
        state = .busy
        self.dueAt = dueAt
        self.isCounted = isCounted
        bytes = 0
        sentAt = EventLoop.monotonicTime()
        if session.needsNewConnection { http.close() }
        http.send(session.nextRequest())
    }

    /// Gives an operation up that takes too long.
    func timeOut() {
        http.close(reset: true)
        end(.timedOut)
    }

    func close() { http.close() }

    /// Back to work after a failure.
    func rested() {
        if state == .resting { state = .idle }
    }

    // MARK: Events

    func connection(_ connection: HTTPClientConnection, received body: Span<UInt8>) {
        if let head = connection.head, session.accepts(status: head.status) {
            return session.receive(body)
        }
        let missing = Self.failureTextSize - failureText.count
        for index in 0..<max(0, min(missing, body.count)) { failureText.append(body[index]) }
    }

    func connection(_ connection: HTTPClientConnection, finished head: HTTPResponseHead) {
        bytes += connection.bodySize
        guard session.accepts(status: head.status) else {
            let text = String(decoding: failureText, as: UTF8.self)
            return end(.status(head.status, text))
        }
        switch session.finish(head) {
        case .continues:
            connection.send(session.nextRequest())
        case .completed(let kind):
            if session.needsNewConnection { connection.close() }
            state = .idle
            driver.clientCompleted(self, kind: kind, bytes: bytes)
        case .failed(let text):
            connection.close()
            end(.refused(text))
        }
    }

    func connection(_ connection: HTTPClientConnection, failed failure: ClientFailure) {
        end(failure)
    }

    private func end(_ failure: ClientFailure) {
        failureText = []
        session.fail()
        state = .resting
        driver.clientFailed(self, failure)
    }
}
