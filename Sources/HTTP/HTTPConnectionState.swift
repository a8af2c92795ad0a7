/// Decides what happens on one HTTP/1.1 connection: which bytes are a request, whether its body
/// is wanted, how an answer is framed, and whether another request may follow. Performs no I/O:
/// the owner passes bytes in and does what the results say.
///
/// One request at a time: the next one of a pipeline is not looked at before the answer to this
/// one is complete, so answers cannot overtake each other.
///
/// ```
///             head                 acceptBody          complete
///   idle ----------> body undecided ----------> wanted ----------> whole: the handler's turn
///    ^                     | discardBody           | discardBody        |
///    |                     v                       v                    |
///    |                 discarding (bounded) <------+                    |
///    |                     |                                            |
///    +---------------------+---- beginResponse ... finishResponse ------+----> closing
/// ```
///
/// Invariant: once `isClosing`, no further request is taken from the bytes.
package struct HTTPConnectionState: Sendable {
    /// What the bytes received mean.
    package enum Input: Sendable {
        /// All bytes are used up; more are needed.
        case needsBytes
        /// Decide now: `acceptBody` or `discardBody`.
        case head(HTTPRequestHead)
        /// Bytes of an accepted body, as indexes of the bytes given.
        case body(Range<Int>)
        /// The accepted body is complete.
        case complete
        /// No bytes are taken until the answer is complete.
        case wait
        /// The bytes are no request: give this answer. The connection closes after it. Also
        /// comes in the middle of an accepted body.
        case failed(HTTPResponse)
        /// Nothing more is read: the connection closes after the answer that is under way, or now
        /// if there is none.
        case ended
    }

    /// What follows an answer.
    package enum Next: Equatable, Sendable {
        /// Another request may be in the bytes.
        case request
        /// The rest of this request's body is still to be read and thrown away.
        case restOfBody
        case close
    }

    private enum Body: Sendable {
        case undecided
        case wanted
        /// With the number of bytes that may still come.
        case discarded(budget: Int)
        case complete
    }

    private struct Exchange: Sendable {
        var isHeadMethod: Bool
        var isHTTP11: Bool
        var keepsAlive: Bool
        /// The client waits for `100 Continue`, and no byte of the body has come.
        var expectsContinue: Bool
        var framing: HTTPBodyFraming
        var body = Body.undecided
        var isAnswered = false
    }

    /// How many bytes of a body that nobody wants are read so that the connection can be used
    /// again.
    private let discardLimit: Int
    private var parser: HTTPRequestParser
    private var exchange: Exchange?
    private var hasBegunResponse = false
    private var hasInputEnded = false
    /// The connection closes after the current answer.
    package private(set) var isClosing = false
    private var isDraining = false

    package init(limits: HTTPParserLimits = HTTPParserLimits(), discardLimit: Int = 64 * 1024) {
        self.discardLimit = discardLimit
        parser = HTTPRequestParser(limits: limits)
    }

    /// No request is under way, not even the beginning of one.
    package var isIdle: Bool { exchange == nil && parser.isBetweenRequests }

    /// The beginning of a head was received.
    package var isReadingHead: Bool { exchange == nil && !parser.isBetweenRequests }

    /// Bytes from the client have a use now.
    package var wantsBytes: Bool {
        guard !hasInputEnded else { return false }
        if case .complete = exchange?.body { return false }
        return true
    }

    /// Part of a body is still to come.
    package var isReadingBody: Bool { exchange != nil && wantsBytes }

    /// No answer was begun to what the client sent last.
    package var canAnswer: Bool { !hasBegunResponse && exchange?.isAnswered != true }

    /// What the bytes from `offset` on mean; `offset` moves behind what was used.
    package mutating func receive(_ bytes: Span<UInt8>, at offset: inout Int) -> Input {
        while wantsBytes {
            let event: HTTPRequestParser.Event?
            do throws(HTTPParseError) {
                event = try parser.next(in: bytes, at: &offset)
            } catch {
                return fail(error)
            }
            switch event {
            case nil: return .needsBytes
            case .head(let head, let framing): return begin(head, framing)
            case .body(let range):
                if let input = receiveBody(range) { return input }
            case .end:
                if let input = endBody() { return input }
            }
        }
        return hasInputEnded ? .ended : .wait
    }

    private mutating func begin(_ head: HTTPRequestHead, _ framing: HTTPBodyFraming) -> Input {
        precondition(exchange == nil, "one request at a time")
        var expectsContinue = false
        // RFC 9110, section 10.1.1: an expectation in HTTP/1.0 is ignored.
        if head.isHTTP11, let expectation = head.headers["expect"] {
            guard expectation.lowercased() == "100-continue" else {
                return fail(.unknownExpectation)
            }
            expectsContinue = framing != .none && framing != .sized(0)
        }
        exchange = Exchange(
            isHeadMethod: head.method == "HEAD", isHTTP11: head.isHTTP11,
            keepsAlive: Self.keepsAlive(head), expectsContinue: expectsContinue, framing: framing)
        return .head(head)
    }

    /// RFC 9112, section 9.3.
    private static func keepsAlive(_ head: HTTPRequestHead) -> Bool {
        var keepsAlive = head.isHTTP11
        for field in head.headers.fields where field.name == "connection" {
            for option in field.value.lowercased().split(whereSeparator: { ", \t".contains($0) }) {
                if option == "close" { return false }
                if option == "keep-alive" { keepsAlive = true }
            }
        }
        return keepsAlive
    }

    private mutating func receiveBody(_ range: Range<Int>) -> Input? {
        exchange?.expectsContinue = false
        switch exchange?.body {
        case .wanted:
            return .body(range)
        case .discarded(let budget):
            guard range.count <= budget else {
                close()
                return .ended
            }
            exchange?.body = .discarded(budget: budget - range.count)
            return nil
        case .undecided, .complete, nil:
            preconditionFailure("the owner did not say what happens to the body")
        }
    }

    private mutating func endBody() -> Input? {
        guard let body = exchange?.body else { preconditionFailure("a body without a request") }
        exchange?.body = .complete
        switch body {
        case .wanted:
            return .complete
        case .discarded:
            if exchange?.isAnswered == true { exchange = nil }
            return nil
        case .undecided, .complete:
            preconditionFailure("the owner did not say what happens to the body")
        }
    }

    private mutating func fail(_ error: HTTPParseError) -> Input {
        close()
        return canAnswer ? .failed(error.response) : .ended
    }

    // MARK: The owner's decisions

    /// The body is wanted.
    ///
    /// - Parameter isHere: true if bytes of it have been received already.
    /// - Returns: whether to send `100 Continue` now.
    package mutating func acceptBody(isHere: Bool) -> Bool {
        guard case .undecided = exchange?.body else { preconditionFailure("already decided") }
        exchange?.body = .wanted
        return exchange?.expectsContinue == true && !isHere
    }

    /// The body is not wanted, or no longer. Call before `beginResponse`.
    ///
    /// - Parameter isHere: true if bytes of it have been received already.
    package mutating func discardBody(isHere: Bool) {
        guard let current = exchange else { preconditionFailure("no request") }
        if case .complete = current.body { return }
        exchange?.body = .discarded(budget: discardLimit)
        switch current.framing {
        case .none, .sized(0): return
        case .sized(let length) where length > UInt64(discardLimit): close()
        // A client that waits for 100 Continue may leave the body out now, or send it all the
        // same; only a new connection makes clear what comes next.
        case .sized, .chunked: if current.expectsContinue && !isHere { close() }
        }
    }

    /// No request is taken after the current one, and an answer says so. For a time-out, a
    /// failure, or an answer that ends with the connection.
    package mutating func close() {
        isClosing = true
        hasInputEnded = true
    }

    /// The server is stopping: the next answer is this connection's last.
    package mutating func drain() {
        isDraining = true
    }

    // MARK: Answers

    /// Appends the head of an answer to `bytes`; the owner sends the body in the way returned.
    ///
    /// - Parameter isLast: close the connection after this answer, whatever the client asked for.
    package mutating func beginResponse(
        _ response: HTTPResponse, date: String, isLast: Bool = false, to bytes: inout [UInt8]
    ) -> HTTPBodyEncoding {
        precondition(!hasBegunResponse, "one answer a request")
        hasBegunResponse = true
        let isHTTP11 = exchange?.isHTTP11 ?? true
        let framing = Self.framing(of: response, isHTTP11: isHTTP11)
        let keepsAlive =
            exchange?.keepsAlive == true && !isClosing && !isDraining && !isLast
            && framing != .untilClose
        if !keepsAlive { close() }
        HTTPResponseEncoder.appendHead(
            of: response, framing: framing,
            persistence: !keepsAlive ? .close : isHTTP11 ? .implied : .keepAlive,
            date: date, to: &bytes)
        return sendsBody(of: response) ? framing : .none
    }

    /// False for an answer that is a head only, so that nothing needs to be made for its body.
    package func sendsBody(of response: HTTPResponse) -> Bool {
        let framing = Self.framing(of: response, isHTTP11: true)
        return exchange?.isHeadMethod != true && framing != .none && framing != .sized(0)
    }

    private static func framing(of response: HTTPResponse, isHTTP11: Bool) -> HTTPBodyEncoding {
        // RFC 9110, section 6.4.1: these never have a body, not even an empty one.
        if response.status == 204 || response.status == 304 { return .none }
        switch response.body {
        case .none: return .sized(0)
        case .bytes(let bytes): return .sized(UInt64(bytes.count))
        case .stream(_, let length?): return .sized(length)
        case .chunk, .stream(_, nil): return isHTTP11 ? .chunked : .untilClose
        }
    }

    /// The answer's last byte was handed over.
    package mutating func finishResponse() -> Next {
        precondition(hasBegunResponse, "no answer was begun")
        hasBegunResponse = false
        if isClosing { return .close }
        switch exchange?.body {
        case .complete:
            exchange = nil
            return .request
        case .discarded:
            exchange?.isAnswered = true
            return .restOfBody
        case .undecided, .wanted, nil:
            preconditionFailure("answered without a decision about the body")
        }
    }
}
