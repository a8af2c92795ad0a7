internal import HTTP
internal import Logging
internal import Transport

/// One client: moves bytes between its socket, the HTTP state machine and the handler.
///
/// Everything happens in `advance`, which does what can be done now and returns: it takes bytes in
/// while they have a use, sends bytes while the client takes them, asks for the next piece of a
/// streamed answer when little is waiting, and closes when all is said. Whatever changes (an event
/// of the socket, an answer, a piece from a worker, a timer) changes a variable and calls it.
///
/// Memory: at most one read buffer of bytes not yet looked at, the body limit the handler chose or
/// one upload piece, and `lowWaterMark` plus one chunk of answer; parts of files cost none. Bytes
/// beyond that stay in the kernel, and so with the client.
///
/// `@unchecked Sendable`: everything belongs to the loop's thread.
final class HTTPConnection: StreamSocketDelegate, @unchecked Sendable {
    /// A request whose body is being received.
    enum Intake {
        case none
        case buffer(HTTPRequestHead, maximumBytes: Int)
        case upload(Upload)
    }

    /// A body on its way to a sink.
    struct Upload {
        let pump: RequestBodyPump
        /// A piece is with the sink; nothing is read meanwhile.
        var isBusy = false
        /// No more bytes follow those in `bodyBytes`.
        var isComplete = false
    }

    /// An answer whose body is being made.
    struct Stream {
        let pump: ResponseBodyPump
        /// Until the first piece is there, so that a source that fails at once gives a clean error.
        var heldResponse: HTTPResponse?
        var encoding = HTTPBodyEncoding.none
        /// Of a body of announced length, in bytes.
        var remaining: UInt64 = 0
        var isFirstChunk = true
        var isAwaitingChunk = false
    }

    let socket: StreamSocket
    let owner: ServerLoop
    let service: Service
    var state: HTTPConnectionState

    /// Bytes that were read and have no use yet: the next requests of a pipeline.
    var backlog: [UInt8] = []
    var backlogOffset = 0

    var intake = Intake.none
    var bodyBytes: [UInt8] = []
    /// The request the handler has, until its answer is complete.
    var exchange: HTTPExchange?
    var stream: Stream?

    /// Close once everything is sent.
    var isClosing = false
    /// Everything is sent, and the client is given time to read it.
    var isLingering = false
    var isAdvancing = false

    // Times in nanoseconds of the loop's clock.
    var idleSince: UInt64
    var requestStart: UInt64 = 0
    var lastRead: UInt64 = 0
    var lingerStart: UInt64 = 0
    var timer: LoopTimer?

    init(socket: StreamSocket, owner: ServerLoop, service: Service) {
        self.socket = socket
        self.owner = owner
        self.service = service
        idleSince = socket.loop.now
        state = HTTPConnectionState(
            limits: owner.configuration.parserLimits,
            discardLimit: owner.configuration.discardedBodyBytes)
    }

    var configuration: HTTPServerConfiguration { owner.configuration }
    var loop: EventLoop { socket.loop }

    func start() {
        guard socket.start(delegate: self) else {
            owner.logger.warning("connection_dropped", [("error", "no room to watch it")])
            return tearDown(reset: true)
        }
        if owner.isDraining { drain() }
        advance()
    }

    func socketDidChange(_ socket: StreamSocket) {
        advance()
    }

    /// Does all that can be done now. Calls from inside itself do nothing: the outer call sees
    /// what has changed.
    func advance() {
        guard !isAdvancing && socket.isOpen else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        // One client must not keep the others waiting, however fast it sends or takes.
        var readsLeft = 16
        var sendLimit = configuration.sendLimit
        while socket.isOpen {
            if socket.hasFailed { return tearDown(reset: false) }
            if isLingering {
                if !drop(readsLeft: &readsLeft) { break }
                continue
            }
            if wantsBytes && takeBytes(readsLeft: &readsLeft) { continue }
            noticeHalfClose()
            passUploadOn()
            guard socket.flush(limit: &sendLimit) else { continue }
            askForChunk()
            if isDone {
                beginLinger()
            } else if !(wantsBytes && hasBytes) || readsLeft == 0 || sendLimit == 0 {
                break
            }
        }
        guard socket.isOpen else { return }
        if readsLeft == 0 || sendLimit == 0 { loop.post { self.advance() } }
        armTimer()
    }

    /// Everything is said and sent, and nothing more can come.
    private var isDone: Bool {
        guard stream == nil, exchange == nil, socket.queuedCount == 0 else { return false }
        if isClosing { return true }
        if case .upload = intake { return false }
        if hasBytes { return false }
        return socket.peerHasFinished || (owner.isDraining && state.isIdle)
    }

    /// A client that half-closed may still be reading, or gone for good: the handler is told, and
    /// an answer is sent if it gives one.
    private func noticeHalfClose() {
        if socket.peerHasFinished, stream == nil { exchange?.clientIsGone() }
    }

    // MARK: End

    private func beginLinger() {
        backlog = []
        // Nothing unread can come from a client that finished, and nothing was being sent to one
        // that is idle.
        let hasEnded = socket.peerHasFinished && !socket.isReadable
        if hasEnded || (state.isIdle && !isClosing) { return tearDown(reset: false) }
        socket.finishWriting()
        isLingering = true
        lingerStart = loop.now
    }

    /// Reads past what the client still sends, because closing with bytes unread would reset the
    /// connection, and the reset can destroy an answer before the client has read it (RFC 9112,
    /// section 9.6). False if there is nothing to do now.
    private func drop(readsLeft: inout Int) -> Bool {
        guard socket.isReadable else {
            // A server that stops has no time for clients that never close.
            guard owner.isDraining else { return false }
            tearDown(reset: false)
            return true
        }
        guard readsLeft > 0 else { return false }
        readsLeft -= 1
        if case .end = socket.read({ _ in }) { tearDown(reset: false) }
        return true
    }

    /// Closes the socket and ends everything that belonged to the connection.
    func tearDown(reset: Bool) {
        guard socket.isOpen else { return }
        socket.close(reset: reset)
        if let timer { loop.cancel(timer) }
        timer = nil
        if case .upload(let upload) = intake { upload.pump.cancel() }
        intake = .none
        stream?.pump.cancel()
        stream = nil
        let exchange = exchange
        self.exchange = nil
        exchange?.clientIsGone()
        owner.remove(self)
    }

    /// The server is stopping.
    func drain() {
        state.drain()
        exchange?.serverIsStopping()
        // A request may have arrived that was not announced yet.
        socket.assumeReadable()
        advance()
    }
}
