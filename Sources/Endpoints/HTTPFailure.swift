package import HTTP

/// An error as a client sees it.
///
/// `code` is stable across releases. `text` is for a person and holds no paths and no content.
package struct HTTPFailure: Error, Equatable, Sendable {
    package let status: Int
    package let code: String
    package let text: String
    /// With 405: what is allowed instead (RFC 9110, section 15.5.6, requires it).
    package let allowedMethods: [String]

    package init(status: Int, code: String, text: String, allowedMethods: [String] = []) {
        self.status = status
        self.code = code
        self.text = text
        self.allowedMethods = allowedMethods
    }

    /// `{"error": text, "code": code}`.
    package var response: HTTPResponse {
        var headers: [(name: String, value: String)] = []
        // These pass: the client may try again.
        if status == 503 { headers.append(("retry-after", "1")) }
        if !allowedMethods.isEmpty {
            headers.append(("allow", allowedMethods.joined(separator: ", ")))
        }
        return .failure(status: status, code: code, text: text, headers: headers)
    }
}
