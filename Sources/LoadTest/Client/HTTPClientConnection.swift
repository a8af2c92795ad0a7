package import HTTP
package import Transport

/// Told what comes of the requests of one connection. Called on the loop's thread.
package protocol HTTPClientOwner: AnyObject {
    /// A piece of the body; the response's head is in `connection.head`.
    func connection(_ connection: HTTPClientConnection, received body: Span<UInt8>)
    /// The response is complete, and the next request may be sent.
    func connection(_ connection: HTTPClientConnection, finished head: HTTPResponseHead)
    /// The request failed, and the connection is closed; the next request opens another.
    func connection(_ connection: HTTPClientConnection, failed failure: ClientFailure)
}

/// One client's HTTP/1.1 connection: a request at a time, kept open between them as long as the
/// server agrees. It allocates nothing for a response, and copies nothing of its body.
///
/// `@unchecked Sendable`: loop's thread only.
package final class HTTPClientConnection: StreamSocketDelegate, @unchecked Sendable {
    /// So that one connection with an endless body does not keep the loop from all others.
    private static let readsPerTurn = 64

    private let loop: EventLoop
    private let address: SocketAddress
    private weak var owner: (any HTTPClientOwner)?
    private var socket: StreamSocket?
    private var parser = HTTPResponseParser()
    private var isWaiting = false
    private var isContinuing = false
    /// Counts requests, so that a late failure of one does not hit the next.
    private var requestNumber = 0

    /// Of the response that is being received; nil before it came.
    package private(set) var head: HTTPResponseHead?
    /// Bytes of its body so far.
    package private(set) var bodySize = 0
    /// When the connection that is used was there, in nanoseconds of the loop's clock.
    package private(set) var connectedAt: UInt64 = 0
    /// Makes bodies larger than one array: called when the request so far went out, until it is
    /// empty.
    package var nextPiece: (() -> [UInt8])?

    package init(loop: EventLoop, address: SocketAddress, owner: any HTTPClientOwner) {
        self.loop = loop
        self.address = address
        self.owner = owner
    }

    deinit { socket?.close() }

    /// Sends a whole request, over a new connection if there is none. The answer of the one before
    /// must have come.
    package func send(_ request: [UInt8]) {
        precondition(!isWaiting, "a request is already under way")
        isWaiting = true
        requestNumber += 1
        head = nil
        bodySize = 0
        if socket == nil, let failure = connect() { return failLater(failure) }
        guard let socket else { return }
        socket.enqueue(request)
        if socket.isConnected, !socket.flush() {
            failLater(.connectionLost("connection lost"))
        }
    }

    /// Never inside of `send`: owners begin the next request when one has failed.
    private func failLater(_ failure: ClientFailure) {
        let number = requestNumber
        loop.post { if number == self.requestNumber { self.fail(failure) } }
    }

    /// Without a word to the owner.
    package func close(reset: Bool = false) {
        socket?.close(reset: reset)
        socket = nil
        isWaiting = false
        nextPiece = nil
    }

    private func connect() -> ClientFailure? {
        parser = HTTPResponseParser()
        connectedAt = 0
        do throws(TransportError) {
            let socket = try StreamSocket.connect(to: address, loop: loop)
            guard socket.start(delegate: self) else {
                socket.close()
                return .notConnected("out of memory")
            }
            self.socket = socket
            return nil
        } catch {
            return .notConnected("\(error)")
        }
    }

    // MARK: Events

    package func socketDidChange(_ socket: StreamSocket) {
        guard socket === self.socket else { return }
        if !socket.isConnected {
            if socket.hasFailed { fail(.notConnected(socket.failureText)) }
            return
        }
        if connectedAt == 0 { connectedAt = EventLoop.monotonicTime() }
        guard sendRest(on: socket) else { return fail(.connectionLost("connection lost")) }
        readAll(from: socket)
    }

    /// False if the connection is dead.
    private func sendRest(on socket: StreamSocket) -> Bool {
        // What has already come may say why the server closed; it is read before that counts.
        guard !socket.hasFailed else { return true }
        while socket.flush() {
            guard socket.queuedCount == 0, let next = nextPiece else { return true }
            let piece = next()
            if piece.isEmpty { nextPiece = nil } else { socket.enqueue(piece) }
        }
        return socket.isReadable
    }

    private func readAll(from socket: StreamSocket) {
        var reads = 0
        while socket.isOpen && socket.isReadable && socket === self.socket {
            reads += 1
            guard reads <= Self.readsPerTurn else { return continueLater() }
            guard readOnce(from: socket) else { return }
        }
        if socket.isOpen, socket.hasFailed { fail(.connectionLost(socket.failureText)) }
    }

    private func continueLater() {
        guard !isContinuing else { return }
        isContinuing = true
        loop.post {
            self.isContinuing = false
            if let socket = self.socket { self.readAll(from: socket) }
        }
    }

    /// False if reading must end for now.
    private func readOnce(from socket: StreamSocket) -> Bool {
        var failure: ClientFailure?
        var isComplete = false
        let result = socket.read { bytes in
            do throws(HTTPResponseError) {
                isComplete = try consume(bytes)
            } catch {
                failure = .malformedResponse(error)
            }
        }
        if let failure {
            fail(failure)
            return false
        }
        switch result {
        case .bytes:
            if isComplete { finish() }
            return true
        case .nothing:
            return false
        case .end:
            end()
            return false
        case .failed:
            fail(.connectionLost(socket.failureText))
            return false
        }
    }

    /// True if the response is complete.
    private func consume(_ bytes: Span<UInt8>) throws(HTTPResponseError) -> Bool {
        guard isWaiting else { throw .unexpectedBytes }
        var offset = 0
        while let event = try parser.next(in: bytes, at: &offset) {
            switch event {
            case .head(let head):
                self.head = head
            case .body(let range):
                bodySize += range.count
                owner?.connection(self, received: bytes.extracting(range))
            case .end:
                guard offset == bytes.count else { throw .unexpectedBytes }
                return true
            }
        }
        return false
    }

    private func end() {
        guard isWaiting else { return close() }
        do throws(HTTPResponseError) {
            if try parser.connectionEnded() {
                finish()
            } else {
                fail(.connectionLost("connection closed before the answer"))
            }
        } catch {
            fail(.malformedResponse(error))
        }
    }

    private func finish() {
        guard let head else { preconditionFailure("a response without a head has no end") }
        isWaiting = false
        nextPiece = nil
        if !head.keepsConnection { close() }
        owner?.connection(self, finished: head)
    }

    private func fail(_ failure: ClientFailure) {
        let wasWaiting = isWaiting
        close()
        if wasWaiting { owner?.connection(self, failed: failure) }
    }
}
