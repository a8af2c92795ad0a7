internal import HTTP
internal import Transport

/// From bytes to requests.
extension HTTPConnection {
    /// Bytes from the client have a use, and a place to go.
    var wantsBytes: Bool {
        guard !isClosing, !isLingering, state.wantsBytes else { return false }
        // A client that does not read its answers gets no further ones made.
        guard socket.queuedCount < configuration.lowWaterMark else { return false }
        if case .upload(let upload) = intake {
            return !upload.isBusy && bodyBytes.count < configuration.uploadPieceSize
        }
        return true
    }

    var hasBytes: Bool { !backlog.isEmpty || socket.isReadable }

    /// False if there are none.
    func takeBytes(readsLeft: inout Int) -> Bool {
        if !backlog.isEmpty {
            takeBacklog()
            return true
        }
        guard socket.isReadable, readsLeft > 0 else { return false }
        readsLeft -= 1
        let result = socket.read { bytes in
            var offset = 0
            receive(bytes, at: &offset)
            guard offset < bytes.count, socket.isOpen else { return }
            unsafe bytes.extracting(offset..<bytes.count).withUnsafeBufferPointer {
                unsafe backlog.append(contentsOf: $0)
            }
        }
        if case .end = result { receiveEnd() }
        return true
    }

    private func takeBacklog() {
        // Moved out, because handlers run while it is being read.
        let bytes = backlog
        var offset = backlogOffset
        backlog = []
        backlogOffset = 0
        receive(bytes.span, at: &offset)
        guard offset < bytes.count else { return }
        backlog = bytes
        backlogOffset = offset
    }

    /// Acts on the bytes from `offset` on, up to the first request that must be answered before
    /// the next one is looked at.
    private func receive(_ bytes: Span<UInt8>, at offset: inout Int) {
        lastRead = loop.now
        if state.isIdle { requestStart = loop.now }
        while wantsInput {
            switch state.receive(bytes, at: &offset) {
            case .needsBytes, .wait:
                return
            case .head(let head):
                receiveHead(head, isBodyHere: offset < bytes.count)
            case .body(let range):
                receiveBody(bytes.extracting(range))
            case .complete:
                receiveBodyEnd()
                if state.isIdle { requestStart = loop.now }
            case .failed(let response):
                dropIntake()
                send(response)
                return
            case .ended:
                if stream == nil { isClosing = true }
                return
            }
        }
    }

    /// Unlike `wantsBytes` it lets an upload overshoot its piece by what is at hand.
    private var wantsInput: Bool {
        socket.isOpen && !isClosing && socket.queuedCount < configuration.lowWaterMark
    }

    private func receiveHead(_ head: HTTPRequestHead, isBodyHere: Bool) {
        switch service.handler.bodyHandling(for: head) {
        case .refuse(let response):
            state.discardBody(isHere: isBodyHere)
            send(response)
            return
        case .buffer(let maximumBytes):
            if let length = head.contentLength, length > UInt64(maximumBytes) {
                state.discardBody(isHere: isBodyHere)
                send(Self.bodyTooLarge(maximumBytes))
                return
            }
            intake = .buffer(head, maximumBytes: maximumBytes)
            // What a client announces it need not send: memory follows what arrives.
            if let length = head.contentLength, length > 0 {
                bodyBytes.reserveCapacity(Int(min(length, 1 << 20)))
            }
        case .stream(let sink):
            intake = .upload(Upload(pump: RequestBodyPump(sink: sink, workers: owner.workers)))
        }
        if state.acceptBody(isHere: isBodyHere) {
            socket.enqueue(HTTPResponseEncoder.continueHead)
        }
    }

    private func receiveBody(_ bytes: Span<UInt8>) {
        if case .buffer(_, let maximumBytes) = intake,
            bytes.count > maximumBytes - bodyBytes.count
        {
            dropIntake()
            state.discardBody(isHere: true)
            send(Self.bodyTooLarge(maximumBytes))
            return
        }
        unsafe bytes.withUnsafeBufferPointer { unsafe bodyBytes.append(contentsOf: $0) }
    }

    private func receiveBodyEnd() {
        switch intake {
        case .none:
            preconditionFailure("the end of a body that nobody takes")
        case .buffer(let head, _):
            intake = .none
            let body = bodyBytes
            bodyBytes = []
            let responder = makeResponder()
            service.handler.handle(HTTPRequest(head: head, body: body), responder)
        case .upload(var upload):
            upload.isComplete = true
            intake = .upload(upload)
        }
    }

    /// The client has sent everything it ever will.
    private func receiveEnd() {
        if state.isReadingBody && state.canAnswer {
            // Half a request has no answer.
            tearDown(reset: false)
        } else if stream == nil && exchange == nil {
            isClosing = true
        }
    }

    private func makeResponder() -> ExchangeResponder {
        let exchange = HTTPExchange(connection: self, isStopping: owner.isDraining)
        self.exchange = exchange
        return ExchangeResponder(exchange: exchange)
    }

    func dropIntake() {
        if case .upload(let upload) = intake { upload.pump.cancel() }
        intake = .none
        bodyBytes = []
    }

    private static func bodyTooLarge(_ maximumBytes: Int) -> HTTPResponse {
        .failure(
            status: 413, code: "body_too_large",
            text: "the request body is larger than \(maximumBytes) bytes")
    }

    // MARK: Uploads

    /// Gives the sink a piece if it is free and there is one, and then the end.
    func passUploadOn() {
        guard case .upload(var upload) = intake, !upload.isBusy else { return }
        if !bodyBytes.isEmpty {
            let piece = bodyBytes
            bodyBytes = []
            upload.isBusy = true
            intake = .upload(upload)
            let (loop, pump) = (loop, upload.pump)
            pump.write(piece) { refusal in
                if !loop.post({ self.pieceWasTaken(by: pump, refusal) }) { pump.cancel() }
            }
        } else if upload.isComplete {
            intake = .none
            upload.pump.finish(makeResponder())
        }
    }

    private func pieceWasTaken(by pump: RequestBodyPump, _ refusal: HTTPRefusal?) {
        guard socket.isOpen, case .upload(var upload) = intake, upload.pump === pump else { return }
        lastRead = loop.now
        if let refusal {
            dropIntake()
            state.discardBody(isHere: true)
            send(refusal.response)
        } else {
            upload.isBusy = false
            intake = .upload(upload)
        }
        advance()
    }
}
