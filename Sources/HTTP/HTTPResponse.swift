/// An answer, as a handler gives it.
package struct HTTPResponse: Sendable {
    package var status: Int
    /// Without Content-Length, Transfer-Encoding, Connection and Date: the connection adds these,
    /// and drops them here. CR, LF and NUL in a value are sent as spaces.
    package var headers: [(name: String, value: String)]
    package var body: HTTPResponseBody

    package init(
        status: Int, headers: [(name: String, value: String)] = [], body: HTTPResponseBody = .none
    ) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
