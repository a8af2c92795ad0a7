/// Takes a chunked body apart, in bytes that arrive in any pieces (RFC 9112, section 7.1).
///
/// Chunk extensions and trailer fields are checked, bounded and thrown away.
///
/// ```
/// size -> (extension) -> sizeLineFeed -> data -> dataCarriageReturn -> dataLineFeed -> size ...
///                              | size 0
///                              v
///               trailerStart -> trailerName -> trailerValue -> trailerLineFeed -> trailerStart
///                    | CR
///                    v
///              finalLineFeed -> end
/// ```
struct HTTPChunkDecoder {
    enum Event: Equatable {
        /// Body bytes, as indexes of the bytes given.
        case data(Range<Int>)
        case end
    }

    private enum State {
        case size, chunkExtension, sizeLineFeed, data, dataCarriageReturn, dataLineFeed
        case trailerStart, trailerName, trailerValue, trailerLineFeed, finalLineFeed, ended
    }

    private var state = State.size
    private var sizeDigitCount = 0
    /// Of the current chunk, in bytes.
    private var remaining: UInt64 = 0
    private var extensionBytesLeft: Int
    private var trailerBytesLeft: Int

    init(limits: HTTPParserLimits) {
        extensionBytesLeft = limits.chunkExtensionBytes
        trailerBytesLeft = limits.trailerBytes
    }

    /// The next event in the bytes from `offset` on, which moves behind it; nil when all bytes
    /// are used up.
    mutating func next(
        in bytes: Span<UInt8>, at offset: inout Int
    ) throws(HTTPParseError) -> Event? {
        while offset < bytes.count {
            if case .data = state {
                let available = UInt64(bytes.count - offset)
                let taken = Int(min(available, remaining))
                let range = offset..<(offset + taken)
                offset += taken
                remaining -= UInt64(taken)
                if remaining == 0 { state = .dataCarriageReturn }
                return .data(range)
            }
            let byte = bytes[offset]
            offset += 1
            try consume(byte)
            if case .ended = state { return .end }
        }
        return nil
    }

    private mutating func consume(_ byte: UInt8) throws(HTTPParseError) {
        switch state {
        case .size: try consumeSize(byte)
        case .chunkExtension: try consumeExtension(byte)
        case .sizeLineFeed:
            guard byte == HTTPByteClass.lineFeed else { throw .invalidChunkSize }
            state = remaining == 0 ? .trailerStart : .data
            sizeDigitCount = 0
        case .dataCarriageReturn:
            guard byte == HTTPByteClass.carriageReturn else { throw .missingChunkEnd }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == HTTPByteClass.lineFeed else { throw .missingChunkEnd }
            state = .size
        case .trailerStart, .trailerName, .trailerValue, .trailerLineFeed, .finalLineFeed:
            try consumeTrailer(byte)
        case .data, .ended:
            preconditionFailure("not a state that takes single bytes")
        }
    }

    private mutating func consumeSize(_ byte: UInt8) throws(HTTPParseError) {
        if let digit = HTTPByteClass.hexadecimalValue(byte) {
            sizeDigitCount += 1
            // 16 digits fill 64 bits. More of them, even zeros, have no honest use.
            guard sizeDigitCount <= 16 else { throw .invalidChunkSize }
            remaining = remaining << 4 | UInt64(digit)
            return
        }
        guard sizeDigitCount > 0 else { throw .invalidChunkSize }
        switch byte {
        case HTTPByteClass.carriageReturn: state = .sizeLineFeed
        case UInt8(ascii: ";"): state = .chunkExtension
        default: throw .invalidChunkSize
        }
    }

    private mutating func consumeExtension(_ byte: UInt8) throws(HTTPParseError) {
        extensionBytesLeft -= 1
        guard extensionBytesLeft >= 0 else { throw .invalidChunkSize }
        if byte == HTTPByteClass.carriageReturn {
            state = .sizeLineFeed
        } else {
            guard HTTPByteClass.isFieldValue(byte) else { throw .invalidChunkSize }
        }
    }

    private mutating func consumeTrailer(_ byte: UInt8) throws(HTTPParseError) {
        trailerBytesLeft -= 1
        guard trailerBytesLeft >= 0 else { throw .trailersTooLarge }
        switch state {
        case .trailerStart where byte == HTTPByteClass.carriageReturn:
            state = .finalLineFeed
        case .trailerStart:
            guard HTTPByteClass.isToken(byte) else { throw .invalidTrailer }
            state = .trailerName
        case .trailerName where byte == HTTPByteClass.colon:
            state = .trailerValue
        case .trailerName:
            guard HTTPByteClass.isToken(byte) else { throw .invalidTrailer }
        case .trailerValue where byte == HTTPByteClass.carriageReturn:
            state = .trailerLineFeed
        case .trailerValue:
            guard HTTPByteClass.isFieldValue(byte) else { throw .invalidTrailer }
        case .trailerLineFeed:
            guard byte == HTTPByteClass.lineFeed else { throw .invalidTrailer }
            state = .trailerStart
        case .finalLineFeed:
            guard byte == HTTPByteClass.lineFeed else { throw .invalidTrailer }
            state = .ended
        default:
            preconditionFailure("not in a trailer")
        }
    }
}
