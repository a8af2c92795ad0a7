/// Finds the end of a request head, in bytes that arrive in any pieces, looking at each byte once.
///
/// Line ends are judged here: nothing but CR LF is one. RFC 9112, section 2.2, lets a recipient
/// take a bare LF for a line end; doing so where a proxy in front does not is how requests are
/// smuggled.
struct HTTPHeadScanner {
    enum Result: Equatable {
        case incomplete
        /// An empty line before the request line, which ends before index `end`.
        case blankLine(end: Int)
        /// The head ends before index `end`.
        case head(end: Int)
    }

    private let limits: HTTPParserLimits
    /// Bytes seen of the current line, without its CR LF.
    private var lineLength = 0
    private var totalLength = 0
    private var isRequestLine = true
    private var isAfterCarriageReturn = false

    init(limits: HTTPParserLimits) {
        self.limits = limits
    }

    /// True once a byte of the request line was seen.
    var hasBegun: Bool { totalLength > 0 }

    /// Looks at the bytes from index `start` on; indexes in the result are those of `bytes`.
    mutating func scan(_ bytes: Span<UInt8>, from start: Int) throws(HTTPParseError) -> Result {
        var index = start
        while index < bytes.count {
            let stop = min(bytes.count, index + (try allowance()))
            if isAfterCarriageReturn {
                guard bytes[index] == HTTPByteClass.lineFeed else { throw .bareCarriageReturn }
                index += 1
                totalLength += 1
                isAfterCarriageReturn = false
                if lineLength == 0 {
                    return isRequestLine ? .blankLine(end: index) : .head(end: index)
                }
                isRequestLine = false
                lineLength = 0
                continue
            }
            if totalLength == 0 {
                // Something else than HTTP (a TLS greeting, say) is told so at its first byte.
                let first = bytes[index]
                guard
                    HTTPByteClass.isToken(first) || first == HTTPByteClass.carriageReturn
                        || first == HTTPByteClass.lineFeed
                else { throw .malformedRequestLine }
            }
            let runStart = index
            while index < stop && bytes[index] >= 0x20 { index += 1 }
            lineLength += index - runStart
            totalLength += index - runStart
            guard index < stop else { continue }
            switch bytes[index] {
            case HTTPByteClass.carriageReturn: isAfterCarriageReturn = true
            case HTTPByteClass.tab: lineLength += 1
            case HTTPByteClass.lineFeed: throw .bareLineFeed
            default: throw .controlCharacter
            }
            index += 1
            totalLength += 1
        }
        return .incomplete
    }

    /// How many more bytes may come before a limit is broken; never 0.
    private func allowance() throws(HTTPParseError) -> Int {
        let left = limits.headBytes - totalLength
        guard left > 0 else { throw .headTooLarge }
        guard isRequestLine else { return left }
        // Room for the method, the version and the line end around the target.
        let leftOfLine = limits.targetBytes + 64 - lineLength
        guard leftOfLine > 0 else { throw .targetTooLong }
        return min(left, leftOfLine)
    }
}
