/// Takes the responses of one connection apart, in bytes that arrive in any pieces: the client's
/// half of HTTP/1.1. It copies no body, and no head that arrives whole.
///
/// ```
/// head -> (interim: head) -> body -> end -> head ...
/// ```
package struct HTTPResponseParser {
    package enum Event: Equatable {
        case head(HTTPResponseHead)
        /// Bytes of the body, as indexes of the bytes given.
        case body(Range<Int>)
        /// The response is complete; what follows belongs to the next one.
        case end
    }

    private enum State {
        case head
        case length(Int)
        case chunks(HTTPChunkDecoder)
        case untilEnd
        case complete
    }

    private static let maximumHeadSize = 64 * 1024

    private var state = State.head
    /// The part of a head that came in earlier pieces.
    private var pending: [UInt8] = []
    /// How many bytes of CR LF CR LF were just seen.
    private var matched = 0

    package init() {}

    /// Nothing of a response has come since the last one ended.
    package var isBetweenResponses: Bool {
        guard case .head = state else { return false }
        return pending.isEmpty
    }

    /// The next event in the bytes from `offset` on, which moves behind it; nil when more bytes
    /// are needed. Not to be used further after an error.
    package mutating func next(
        in bytes: Span<UInt8>, at offset: inout Int
    ) throws(HTTPResponseError) -> Event? {
        switch state {
        case .head:
            return try nextHead(in: bytes, at: &offset)
        case .complete:
            state = .head
            return .end
        case .length(let remaining):
            guard offset < bytes.count else { return nil }
            let taken = min(remaining, bytes.count - offset)
            state = taken == remaining ? .complete : .length(remaining - taken)
            offset += taken
            return .body(offset - taken..<offset)
        case .chunks(let decoder):
            return try nextChunk(decoder, in: bytes, at: &offset)
        case .untilEnd:
            guard offset < bytes.count else { return nil }
            defer { offset = bytes.count }
            return .body(offset..<bytes.count)
        }
    }

    /// The peer has closed its end. True if that was the end of a response.
    package mutating func connectionEnded() throws(HTTPResponseError) -> Bool {
        if isBetweenResponses { return false }
        guard case .untilEnd = state else { throw .truncated }
        state = .head
        return true
    }

    private mutating func nextChunk(
        _ decoder: HTTPChunkDecoder, in bytes: Span<UInt8>, at offset: inout Int
    ) throws(HTTPResponseError) -> Event? {
        var decoder = decoder
        do throws(HTTPParseError) {
            let event = try decoder.next(in: bytes, at: &offset)
            state = .chunks(decoder)
            switch event {
            case .data(let range): return .body(range)
            case .end:
                state = .head
                return .end
            case nil: return nil
            }
        } catch {
            throw .malformedChunks
        }
    }

    private mutating func nextHead(
        in bytes: Span<UInt8>, at offset: inout Int
    ) throws(HTTPResponseError) -> Event? {
        while offset < bytes.count {
            let start = offset
            let isComplete = findEnd(in: bytes, at: &offset)
            guard pending.count + offset - start <= Self.maximumHeadSize else {
                throw .headTooLarge
            }
            guard isComplete else {
                for index in start..<offset { pending.append(bytes[index]) }
                return nil
            }
            matched = 0
            let head: HTTPResponseHead?
            if pending.isEmpty {
                head = try HTTPResponseHeadDecoder.decode(bytes.extracting(start..<offset))
            } else {
                for index in start..<offset { pending.append(bytes[index]) }
                head = try HTTPResponseHeadDecoder.decode(pending.span)
                pending.removeAll(keepingCapacity: true)
            }
            guard let head else { continue }
            switch head.framing {
            case .length(let length): state = length == 0 ? .complete : .length(length)
            case .chunked: state = .chunks(HTTPChunkDecoder(limits: HTTPParserLimits()))
            case .untilEnd: state = .untilEnd
            }
            return .head(head)
        }
        return nil
    }

    /// Moves `offset` behind the empty line that ends a head; true if it is there.
    private mutating func findEnd(in bytes: Span<UInt8>, at offset: inout Int) -> Bool {
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            switch byte {
            case HTTPByteClass.carriageReturn: matched = matched == 2 ? 3 : 1
            case HTTPByteClass.lineFeed where matched == 1 || matched == 3: matched += 1
            default: matched = 0
            }
            if matched == 4 { return true }
        }
        return false
    }
}
