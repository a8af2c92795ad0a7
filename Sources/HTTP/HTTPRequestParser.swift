/// A strict incremental parser of HTTP/1.1 requests (RFC 9112). It does no I/O, reads no clock,
/// and holds no more than one unfinished head.
///
/// The caller passes the bytes it has and takes events until there are none. Body bytes are
/// reported as a range of those bytes, so they are not copied here. Every byte of a head is looked
/// at a fixed number of times, however small the pieces are in which it arrives, and what comes
/// out does not depend on where the pieces were cut.
package struct HTTPRequestParser: Sendable {
    package enum Event: Sendable {
        case head(HTTPRequestHead, HTTPBodyFraming)
        /// Body bytes without their framing, as indexes of the bytes given.
        case body(Range<Int>)
        /// The request is complete. What follows belongs to the next one.
        case end
    }

    private enum Phase: Sendable {
        case head
        /// Never 0 bytes.
        case sized(remaining: UInt64)
        case chunked(HTTPChunkDecoder)
        case end
        case failed(HTTPParseError)
    }

    private let limits: HTTPParserLimits
    private var phase = Phase.head
    private var scanner: HTTPHeadScanner
    /// The beginning of a head whose end has not arrived.
    private var partialHead: [UInt8] = []
    private var hasSkippedBlankLine = false

    package init(limits: HTTPParserLimits = HTTPParserLimits()) {
        self.limits = limits
        scanner = HTTPHeadScanner(limits: limits)
    }

    /// True between two requests, with nothing of the next one seen.
    package var isBetweenRequests: Bool {
        if case .head = phase { return !scanner.hasBegun && !hasSkippedBlankLine }
        return false
    }

    /// The next event in the bytes from `offset` on, which moves behind what was used; nil when
    /// more bytes are needed, and then all were used. After an error the same error comes again.
    package mutating func next(
        in bytes: Span<UInt8>, at offset: inout Int
    ) throws(HTTPParseError) -> Event? {
        do throws(HTTPParseError) {
            return try advance(in: bytes, at: &offset)
        } catch {
            phase = .failed(error)
            throw error
        }
    }

    private mutating func advance(
        in bytes: Span<UInt8>, at offset: inout Int
    ) throws(HTTPParseError) -> Event? {
        switch phase {
        case .head:
            return try nextHead(in: bytes, at: &offset)
        case .sized(let remaining):
            guard offset < bytes.count else { return nil }
            let taken = Int(min(UInt64(bytes.count - offset), remaining))
            let range = offset..<(offset + taken)
            offset += taken
            let left = remaining - UInt64(taken)
            phase = left == 0 ? .end : .sized(remaining: left)
            return .body(range)
        case .chunked(var decoder):
            let event = try decoder.next(in: bytes, at: &offset)
            phase = .chunked(decoder)
            switch event {
            case .data(let range): return .body(range)
            case .end: return end()
            case nil: return nil
            }
        case .end:
            return end()
        case .failed(let error):
            throw error
        }
    }

    private mutating func end() -> Event {
        phase = .head
        scanner = HTTPHeadScanner(limits: limits)
        hasSkippedBlankLine = false
        return .end
    }

    private mutating func nextHead(
        in bytes: Span<UInt8>, at offset: inout Int
    ) throws(HTTPParseError) -> Event? {
        while true {
            switch try scanner.scan(bytes, from: offset) {
            case .incomplete:
                unsafe bytes.extracting(offset..<bytes.count).withUnsafeBufferPointer {
                    unsafe partialHead.append(contentsOf: $0)
                }
                offset = bytes.count
                return nil
            case .blankLine(let end):
                // One empty line is forgiven (RFC 9112, section 2.2); a stream of them is not.
                guard !hasSkippedBlankLine else { throw .malformedRequestLine }
                hasSkippedBlankLine = true
                partialHead.removeAll()
                scanner = HTTPHeadScanner(limits: limits)
                offset = end
            case .head(let end):
                defer { offset = end }
                return try decodeHead(bytes.extracting(offset..<end))
            }
        }
    }

    /// - Parameter rest: what was not kept in `partialHead`; nearly always the whole head.
    private mutating func decodeHead(_ rest: Span<UInt8>) throws(HTTPParseError) -> Event {
        let (head, framing): (HTTPRequestHead, HTTPBodyFraming)
        if partialHead.isEmpty {
            (head, framing) = try HTTPHeadDecoder.decode(rest, limits: limits)
        } else {
            unsafe rest.withUnsafeBufferPointer { unsafe partialHead.append(contentsOf: $0) }
            (head, framing) = try HTTPHeadDecoder.decode(partialHead.span, limits: limits)
            partialHead = []
        }
        switch framing {
        case .none, .sized(0): phase = .end
        case .sized(let length): phase = .sized(remaining: length)
        case .chunked: phase = .chunked(HTTPChunkDecoder(limits: limits))
        }
        return .head(head, framing)
    }
}
