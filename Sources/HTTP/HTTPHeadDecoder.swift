/// Reads one whole request head and decides how its body is framed (RFC 9112, sections 3 to 6).
///
/// What could be read in two ways is refused, never repaired: a proxy in front may have chosen the
/// other way, and then the two disagree about where the next request begins.
struct HTTPHeadDecoder {
    private let limits: HTTPParserLimits
    private var head = HTTPRequestHead(
        method: "", path: "", query: nil, headers: HTTPHeaders(), isHTTP11: true,
        contentLength: nil)
    /// Of an absolute-form target.
    private var authority: String?
    private var hostCount = 0
    private var transferEncodingCount = 0
    private var transferEncoding = ""

    private init(limits: HTTPParserLimits) {
        self.limits = limits
    }

    /// - Parameter bytes: a head that `HTTPHeadScanner` found, with its empty line; so every line
    ///   ends with CR LF, and neither byte is anywhere else.
    static func decode(
        _ bytes: Span<UInt8>, limits: HTTPParserLimits
    ) throws(HTTPParseError) -> (head: HTTPRequestHead, framing: HTTPBodyFraming) {
        var decoder = HTTPHeadDecoder(limits: limits)
        var lineStart = 0
        var fieldCount = 0
        while true {
            var lineEnd = lineStart
            while bytes[lineEnd] != HTTPByteClass.carriageReturn { lineEnd += 1 }
            if lineStart == 0 {
                try decoder.decodeRequestLine(bytes.extracting(0..<lineEnd))
            } else if lineEnd > lineStart {
                fieldCount += 1
                guard fieldCount <= limits.fieldCount else { throw .tooManyFields }
                try decoder.decodeField(bytes.extracting(lineStart..<lineEnd))
            } else {
                let framing = try decoder.finish()
                return (decoder.head, framing)
            }
            lineStart = lineEnd + 2
        }
    }

    // MARK: Request line

    private mutating func decodeRequestLine(_ line: Span<UInt8>) throws(HTTPParseError) {
        var methodEnd = 0
        while methodEnd < line.count && HTTPByteClass.isToken(line[methodEnd]) { methodEnd += 1 }
        guard methodEnd > 0, methodEnd < line.count, line[methodEnd] == HTTPByteClass.space else {
            throw .malformedRequestLine
        }
        var targetEnd = methodEnd + 1
        while targetEnd < line.count && line[targetEnd] != HTTPByteClass.space { targetEnd += 1 }
        guard targetEnd > methodEnd + 1, targetEnd < line.count else {
            throw .malformedRequestLine
        }
        head.method = line.string(0..<methodEnd)
        try decodeVersion(line.extracting((targetEnd + 1)..<line.count))
        guard head.method != "CONNECT" else { throw .unsupportedMethod }
        try decodeTarget(line.extracting((methodEnd + 1)..<targetEnd))
    }

    /// `HTTP/` digit `.` digit, in upper case (RFC 9112, section 2.3).
    private mutating func decodeVersion(_ text: Span<UInt8>) throws(HTTPParseError) {
        func isDigit(_ byte: UInt8) -> Bool {
            byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
        }
        let prefix: StaticString = "HTTP/"
        guard text.count == 8, text.hasPrefix(prefix), isDigit(text[5]),
            text[6] == UInt8(ascii: "."), isDigit(text[7])
        else { throw .malformedRequestLine }
        switch (text[5], text[7]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): head.isHTTP11 = true
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): head.isHTTP11 = false
        default: throw .unsupportedVersion
        }
    }

    private mutating func decodeTarget(_ target: Span<UInt8>) throws(HTTPParseError) {
        guard target.count <= limits.targetBytes else { throw .targetTooLong }
        for index in target.indices {
            guard HTTPByteClass.isTarget(target[index]) else { throw .invalidTarget }
        }
        if target[0] == UInt8(ascii: "/") {
            splitPath(target)
        } else if target.count == 1, target[0] == UInt8(ascii: "*"), head.method == "OPTIONS" {
            head.path = "*"
        } else {
            try decodeAbsoluteTarget(target)
        }
    }

    /// `http://authority/path?query`: what a client sends to a proxy, and what every server must
    /// accept (RFC 9112, section 3.2.2).
    private mutating func decodeAbsoluteTarget(_ target: Span<UInt8>) throws(HTTPParseError) {
        var start = 0
        while start < target.count && target[start] != UInt8(ascii: ":") { start += 1 }
        let scheme = target.string(0..<start).lowercased()
        guard scheme == "http" || scheme == "https", start + 2 < target.count,
            target[start + 1] == UInt8(ascii: "/"), target[start + 2] == UInt8(ascii: "/")
        else { throw .invalidTarget }
        start += 3
        var end = start
        while end < target.count && target[end] != UInt8(ascii: "/")
            && target[end] != UInt8(ascii: "?")
        {
            guard HTTPByteClass.isHost(target[end]) else { throw .invalidTarget }
            end += 1
        }
        guard end > start else { throw .invalidTarget }
        authority = target.string(start..<end)
        splitPath(target.extracting(end..<target.count))
    }

    private mutating func splitPath(_ text: Span<UInt8>) {
        var end = 0
        while end < text.count && text[end] != UInt8(ascii: "?") { end += 1 }
        head.path = end == 0 ? "/" : text.string(0..<end)
        if end < text.count { head.query = text.string((end + 1)..<text.count) }
    }

    // MARK: Fields

    private mutating func decodeField(_ line: Span<UInt8>) throws(HTTPParseError) {
        guard line[0] != HTTPByteClass.space && line[0] != HTTPByteClass.tab else {
            throw .foldedField
        }
        var nameEnd = 0
        while nameEnd < line.count && HTTPByteClass.isToken(line[nameEnd]) { nameEnd += 1 }
        // White space before the colon ends up here too (RFC 9112, section 5.1).
        guard nameEnd > 0, nameEnd < line.count, line[nameEnd] == HTTPByteClass.colon else {
            throw .invalidFieldName
        }
        var start = nameEnd + 1
        var end = line.count
        while start < end && Self.isBlank(line[start]) { start += 1 }
        while end > start && Self.isBlank(line[end - 1]) { end -= 1 }
        for index in start..<end {
            guard HTTPByteClass.isFieldValue(line[index]) else { throw .controlCharacter }
        }
        let name = line.lowercasedString(0..<nameEnd)
        let value = line.string(start..<end)
        head.headers.append(lowercasedName: name, value: value)
        switch name {
        case "content-length":
            guard head.contentLength == nil else { throw .repeatedContentLength }
            head.contentLength = try Self.decodeLength(line.extracting(start..<end))
        case "transfer-encoding":
            transferEncodingCount += 1
            transferEncoding = value
        case "host":
            hostCount += 1
            for index in start..<end {
                guard HTTPByteClass.isHost(line[index]) else { throw .invalidHost }
            }
        default:
            break
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == HTTPByteClass.space || byte == HTTPByteClass.tab
    }

    /// Digits only: no sign, no list, nothing that needs more than 64 bits.
    private static func decodeLength(_ digits: Span<UInt8>) throws(HTTPParseError) -> UInt64 {
        guard digits.count > 0 else { throw .invalidContentLength }
        var length: UInt64 = 0
        for index in digits.indices {
            let digit = digits[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { throw .invalidContentLength }
            let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
            guard !overflow && !carry else { throw .invalidContentLength }
            length = sum
        }
        return length
    }

    // MARK: The whole

    private mutating func finish() throws(HTTPParseError) -> HTTPBodyFraming {
        guard hostCount <= 1 else { throw .repeatedHost }
        guard hostCount == 1 || !head.isHTTP11 else { throw .missingHost }
        if let authority {
            if hostCount == 1 {
                head.headers.replaceValue(of: "host", with: authority)
            } else {
                head.headers.append(lowercasedName: "host", value: authority)
            }
        }
        if transferEncodingCount > 0 {
            guard head.contentLength == nil else { throw .lengthAndTransferEncoding }
            try checkTransferEncoding()
            return .chunked
        }
        guard let length = head.contentLength else { return .none }
        return .sized(length)
    }

    /// Only `chunked`, in any case, is understood. A coding we do not know gets 501, everything
    /// else 400 (RFC 9112, section 6.1). HTTP/1.0 has no transfer codings: one there comes from a
    /// broken or hostile sender.
    private func checkTransferEncoding() throws(HTTPParseError) {
        guard head.isHTTP11, transferEncodingCount == 1 else { throw .invalidTransferEncoding }
        let coding = transferEncoding.lowercased()
        if coding == "chunked" { return }
        let codings = coding.split(separator: ",", omittingEmptySubsequences: false)
        let names = codings.map { coding in
            coding.split(separator: ";").first.map(Self.trimmed) ?? ""
        }
        let areTokens = names.allSatisfy { name in
            !name.isEmpty && name.utf8.allSatisfy(HTTPByteClass.isToken)
        }
        guard areTokens, names.contains(where: { $0 != "chunked" }) else {
            throw .invalidTransferEncoding
        }
        throw .unknownTransferEncoding
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.utf8.first, isBlank(first) { text.removeFirst() }
        while let last = text.utf8.last, isBlank(last) { text.removeLast() }
        return text
    }
}
