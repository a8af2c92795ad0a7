extension HTTPResponse {
    /// An error answer: `{"error":"<text>","code":"<code>"}`.
    ///
    /// - Parameters:
    ///   - code: a snake_case word, stable across releases.
    ///   - text: for a person; holds no paths, SQL or page contents.
    package static func failure(
        status: Int, code: String, text: String, headers: [(name: String, value: String)] = []
    ) -> HTTPResponse {
        var body = Array(#"{"error":""#.utf8)
        appendEscaped(text, to: &body)
        body += #"","code":""#.utf8
        appendEscaped(code, to: &body)
        body += #""}"#.utf8
        return HTTPResponse(
            status: status, headers: [("content-type", "application/json")] + headers,
            body: .bytes(body))
    }

    /// Escapes what RFC 8259, section 7, requires to be escaped, and nothing else.
    private static func appendEscaped(_ text: String, to bytes: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                bytes += #"\u00"#.utf8
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default:
                bytes.append(byte)
            }
        }
    }
}
