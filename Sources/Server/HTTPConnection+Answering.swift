internal import HTTP
internal import Logging
internal import Primitives
internal import Transport

/// From answers to bytes.
extension HTTPConnection {
    /// Bodies up to this many bytes are copied behind their head: cheaper than a second piece.
    private static let joinedBodySize = 4096

    /// The handler's answer.
    func answer(_ exchange: HTTPExchange, _ response: HTTPResponse) {
        guard socket.isOpen, self.exchange === exchange, stream == nil else {
            return discard(response.body)
        }
        send(response)
        advance()
    }

    /// An answer that nobody will get.
    func discard(_ body: HTTPResponseBody) {
        if case .stream(let source, _) = body {
            ResponseBodyPump(source: source, workers: owner.workers).cancel()
        }
    }

    func send(_ response: HTTPResponse) {
        exchange?.cancelTimers()
        if case .stream(let source, _) = response.body {
            let pump = ResponseBodyPump(source: source, workers: owner.workers)
            if state.sendsBody(of: response) {
                stream = Stream(pump: pump, heldResponse: response)
                return
            }
            pump.cancel()
        }
        var (bytes, encoding) = head(of: response)
        if encoding != .none {
            switch response.body {
            case .bytes(let body): append(body, to: &bytes)
            case .chunk(let body):
                let isChunked = encoding == .chunked
                if isChunked {
                    bytes += HTTPResponseEncoder.chunkPrefix(count: body.count, isFirst: true)
                }
                append(body, to: &bytes)
                if isChunked { bytes += HTTPResponseEncoder.finalChunk(isFirst: false) }
            case .none, .stream: break
            }
        }
        socket.enqueue(bytes)
        finishAnswer()
    }

    /// `bytes` is sent before what does not fit well behind it.
    private func append(_ body: [UInt8], to bytes: inout [UInt8]) {
        guard body.count > Self.joinedBodySize else { return bytes.append(contentsOf: body) }
        socket.enqueue(bytes)
        bytes = body
    }

    private func head(of response: HTTPResponse) -> ([UInt8], HTTPBodyEncoding) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        let encoding = state.beginResponse(
            response, date: owner.date, isLast: service.budget.isFull, to: &bytes)
        return (bytes, encoding)
    }

    private func finishAnswer() {
        exchange?.complete()
        exchange = nil
        stream = nil
        idleSince = loop.now
        if state.finishResponse() == .close {
            isClosing = true
            backlog = []
        }
    }

    func reportAbandonedRequest() {
        owner.logger.error("request_abandoned")
    }

    // MARK: Streamed bodies

    /// Has the next piece made if the client has taken most of what there was.
    func askForChunk() {
        guard let stream, !stream.isAwaitingChunk,
            socket.queuedMemoryCount < configuration.lowWaterMark,
            socket.queuedCount < configuration.regionLowWaterMark
        else { return }
        self.stream?.isAwaitingChunk = true
        let (loop, pump) = (loop, stream.pump)
        pump.requestNext(maximumBytes: configuration.chunkSize) { outcome in
            if !loop.post({ self.receive(outcome, from: pump) }) { pump.cancel() }
        }
    }

    private func receive(_ outcome: ResponseBodyPump.Outcome, from pump: ResponseBodyPump) {
        guard socket.isOpen, stream?.pump === pump else { return }
        stream?.isAwaitingChunk = false
        switch outcome {
        case .chunk(let piece):
            sendChunk(piece)
            if piece.isLast, stream?.pump === pump { endStream() }
        case .end: endStream()
        case .failed(let error as HTTPRefusal):
            failStream(error.cause, answering: error.response)
        case .failed(let error): failStream("\(error)")
        }
        advance()
    }

    private func sendChunk(_ piece: HTTPBodyPiece) {
        // A source with nothing to say yet is asked again; an empty chunk would end the body.
        let count = piece.count
        guard count > 0 else { return }
        var prefix = beginStream()
        guard let stream else { preconditionFailure("a piece of no stream") }
        switch stream.encoding {
        case .sized:
            guard UInt64(count) <= stream.remaining else {
                return failStream("longer than announced")
            }
            self.stream?.remaining -= UInt64(count)
        case .chunked:
            prefix += HTTPResponseEncoder.chunkPrefix(
                count: count, isFirst: stream.isFirstChunk)
        case .untilClose: break
        case .none: preconditionFailure("a body that is not sent")
        }
        self.stream?.isFirstChunk = false
        socket.enqueue(prefix)
        for part in piece.parts {
            switch part {
            case .bytes(let bytes): socket.enqueue(bytes)
            case .region(let region): socket.enqueue(region)
            }
        }
    }

    /// The head, before the first piece; empty afterwards.
    private func beginStream() -> [UInt8] {
        guard let response = stream?.heldResponse else { return [] }
        stream?.heldResponse = nil
        let (bytes, encoding) = head(of: response)
        stream?.encoding = encoding
        if case .sized(let length) = encoding { stream?.remaining = length }
        return bytes
    }

    private func endStream() {
        if case .stream(_, let length?) = stream?.heldResponse?.body, length > 0 {
            return failStream("shorter than announced")
        }
        var bytes = beginStream()
        guard let stream else { preconditionFailure("the end of no stream") }
        guard stream.remaining == 0 else { return failStream("shorter than announced") }
        if stream.encoding == .chunked {
            bytes += HTTPResponseEncoder.finalChunk(isFirst: stream.isFirstChunk)
        }
        socket.enqueue(bytes)
        finishAnswer()
    }

    /// The client must not take what it got for the whole answer: the connection is reset, unless
    /// nothing was sent and an error can be.
    private func failStream(
        _ reason: String,
        answering response: HTTPResponse = .failure(
            status: 500, code: "internal", text: "the answer could not be made")
    ) {
        owner.logger.error("response_failed", [("error", reason)])
        guard let stream else { preconditionFailure("the failure of no stream") }
        guard stream.heldResponse != nil else { return tearDown(reset: true) }
        stream.pump.cancel()
        self.stream = nil
        send(response)
    }
}
