/// Writes response heads and the framing of chunked bodies (RFC 9112, sections 4 and 7.1).
package enum HTTPResponseEncoder {
    /// What the Connection field says; nothing where the version's default already says it.
    enum Persistence {
        case implied, keepAlive, close
    }

    package static let continueHead = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// The fields that describe the connection rather than the answer: ours alone to write.
    private static func isOwnField(_ name: String) -> Bool {
        switch name.utf8.count {
        case 4: name.lowercased() == "date"
        case 10: name.lowercased() == "connection"
        case 14: name.lowercased() == "content-length"
        case 17: name.lowercased() == "transfer-encoding"
        default: false
        }
    }

    /// - Parameters:
    ///   - framing: `.none` writes no length at all, as 204 and 304 need it.
    ///   - date: as `HTTPDate.text` gives it.
    static func appendHead(
        of response: HTTPResponse, framing: HTTPBodyEncoding, persistence: Persistence,
        date: String, to bytes: inout [UInt8]
    ) {
        precondition((200...599).contains(response.status), "not the status of a final answer")
        bytes.append("HTTP/1.1 ")
        appendDecimal(UInt64(response.status), to: &bytes)
        bytes.append(HTTPByteClass.space)
        bytes.append(HTTPReasonPhrase.text(for: response.status))
        bytes.append("\r\ndate: ")
        bytes.append(contentsOf: date.utf8)
        for (name, value) in response.headers {
            appendField(name: name, value: value, to: &bytes)
        }
        switch framing {
        case .none, .untilClose: break
        case .sized(let length):
            bytes.append("\r\ncontent-length: ")
            appendDecimal(length, to: &bytes)
        case .chunked: bytes.append("\r\ntransfer-encoding: chunked")
        }
        switch persistence {
        case .implied: break
        case .keepAlive: bytes.append("\r\nconnection: keep-alive")
        case .close: bytes.append("\r\nconnection: close")
        }
        bytes.append("\r\n\r\n")
    }

    /// A value may quote what a client sent; a line end in it must not begin a new field (response
    /// splitting), so it goes out as a space. A name that is not a token is a mistake of ours.
    private static func appendField(name: String, value: String, to bytes: inout [UInt8]) {
        let nameBytes = name.utf8Span.span
        guard !nameBytes.isEmpty,
            nameBytes.indices.allSatisfy({ HTTPByteClass.isToken(nameBytes[$0]) })
        else {
            assertionFailure("not the name of a header field: \(name)")
            return
        }
        if isOwnField(name) { return }
        bytes.append("\r\n")
        bytes.append(contentsOf: name.utf8)
        bytes.append(": ")
        let start = bytes.count
        bytes.append(contentsOf: value.utf8)
        for index in start..<bytes.count where !HTTPByteClass.isFieldValue(bytes[index]) {
            bytes[index] = HTTPByteClass.space
        }
    }

    /// What goes before a chunk: the end of the chunk before it, if there was one, and the size.
    ///
    /// - Parameter count: of the chunk, in bytes; not 0, which would end the body.
    package static func chunkPrefix(count: Int, isFirst: Bool) -> [UInt8] {
        precondition(count > 0)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20)
        if !isFirst { bytes.append("\r\n") }
        var shift = (Int.bitWidth - count.leadingZeroBitCount - 1) & ~3
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: count >> shift) & 0xF
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            shift -= 4
        }
        bytes.append("\r\n")
        return bytes
    }

    /// What ends a chunked body.
    package static func finalChunk(isFirst: Bool) -> [UInt8] {
        Array("\(isFirst ? "" : "\r\n")0\r\n\r\n".utf8)
    }

    private static func appendDecimal(_ number: UInt64, to bytes: inout [UInt8]) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }
}
