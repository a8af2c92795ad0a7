/// Reads a complete head of a response, with the empty line behind it.
enum HTTPResponseHeadDecoder {
    private struct Fields {
        var contentLength: Int?
        var isChunked = false
        var closes = false
        var keepsAlive = false
        var isEncoded = false
    }

    /// Nil for an interim response (1xx).
    static func decode(_ bytes: Span<UInt8>) throws(HTTPResponseError) -> HTTPResponseHead? {
        let (status, isNewer) = try decodeStatusLine(bytes)
        var fields = Fields()
        var start = try endOfLine(bytes, from: 0)
        while true {
            let end = try endOfLine(bytes, from: start)
            if end == start + 2 { break }
            try decodeField(bytes.extracting(start..<end - 2), into: &fields)
            start = end
        }
        guard status >= 200 else {
            // 101 would change the protocol, which was not asked for.
            guard status != 101 else { throw .malformedStatusLine }
            return nil
        }
        guard !fields.isChunked || fields.contentLength == nil else {
            throw .lengthAndTransferEncoding
        }
        let hasNoBody = status == 204 || status == 304
        let framing: HTTPResponseHead.Framing =
            hasNoBody
            ? .length(0)
            : fields.isChunked
                ? .chunked : fields.contentLength.map { .length($0) } ?? .untilEnd
        return HTTPResponseHead(
            status: status, framing: framing,
            keepsConnection: framing != .untilEnd && !fields.closes
                && (isNewer || fields.keepsAlive),
            isEncoded: fields.isEncoded)
    }

    /// `HTTP/1.x SP 3DIGIT SP [reason]` (RFC 9112, section 4); the second value: x is not 0.
    private static func decodeStatusLine(
        _ bytes: Span<UInt8>
    ) throws(HTTPResponseError) -> (Int, Bool) {
        let start: StaticString = "HTTP/1."
        guard bytes.count >= 14, equals(bytes.extracting(0..<7), start),
            bytes[7] == UInt8(ascii: "0") || bytes[7] == UInt8(ascii: "1"),
            bytes[8] == HTTPByteClass.space,
            bytes[12] == HTTPByteClass.space || bytes[12] == HTTPByteClass.carriageReturn
        else { throw .malformedStatusLine }
        var status = 0
        for index in 9..<12 {
            guard let digit = decimalValue(bytes[index]) else { throw .malformedStatusLine }
            status = status * 10 + digit
        }
        guard (100..<600).contains(status) else { throw .malformedStatusLine }
        return (status, bytes[7] == UInt8(ascii: "1"))
    }

    /// The index behind the CR LF of the line that begins at `start`.
    private static func endOfLine(
        _ bytes: Span<UInt8>, from start: Int
    ) throws(HTTPResponseError) -> Int {
        var index = start
        while index + 1 < bytes.count {
            if bytes[index] == HTTPByteClass.carriageReturn {
                guard bytes[index + 1] == HTTPByteClass.lineFeed else { throw .malformedField }
                return index + 2
            }
            guard HTTPByteClass.isFieldValue(bytes[index]) else { throw .malformedField }
            index += 1
        }
        throw .malformedField
    }

    private static func decodeField(
        _ line: Span<UInt8>, into fields: inout Fields
    ) throws(HTTPResponseError) {
        var colon = 0
        while colon < line.count, HTTPByteClass.isToken(line[colon]) { colon += 1 }
        guard colon > 0, colon < line.count, line[colon] == HTTPByteClass.colon else {
            throw .malformedField
        }
        var (start, end) = (colon + 1, line.count)
        while start < end, isBlank(line[start]) { start += 1 }
        while end > start, isBlank(line[end - 1]) { end -= 1 }
        let name = line.extracting(0..<colon)
        let value = line.extracting(start..<end)
        // The lengths tell nearly all fields apart.
        switch colon {
        case 14 where equals(name, "content-length"):
            try decodeLength(value, into: &fields)
        case 17 where equals(name, "transfer-encoding"):
            guard equals(value, "chunked"), !fields.isChunked else {
                throw .unknownTransferEncoding
            }
            fields.isChunked = true
        case 10 where equals(name, "connection"):
            if equals(value, "close") { fields.closes = true }
            if equals(value, "keep-alive") { fields.keepsAlive = true }
        case 16 where equals(name, "content-encoding"):
            fields.isEncoded = !equals(value, "identity")
        default: break
        }
    }

    private static func decodeLength(
        _ value: Span<UInt8>, into fields: inout Fields
    ) throws(HTTPResponseError) {
        // 18 digits are more than any body has and fit.
        guard fields.contentLength == nil, (1...18).contains(value.count) else {
            throw .invalidContentLength
        }
        var length = 0
        for index in 0..<value.count {
            guard let digit = decimalValue(value[index]) else { throw .invalidContentLength }
            length = length * 10 + digit
        }
        fields.contentLength = length
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == HTTPByteClass.space || byte == HTTPByteClass.tab
    }

    private static func decimalValue(_ byte: UInt8) -> Int? {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            ? Int(byte - UInt8(ascii: "0")) : nil
    }

    /// Without regard to case, if `text` is lowercase.
    private static func equals(_ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.count {
            let expected = unsafe text.utf8Start[index]
            guard
                bytes[index] == expected || HTTPByteClass.lowercased(bytes[index]) == expected
            else { return false }
        }
        return true
    }
}
