/// The request line and the header fields of a request that passed the parser's checks.
package struct HTTPRequestHead: Sendable {
    package var method: String
    /// The path of the target as it was sent: percent-encoding untouched, query cut off.
    package var path: String
    /// What followed the first `?`; nil without one.
    package var query: String?
    /// With the authority of an absolute-form target as `host`, whatever the field said.
    package var headers: HTTPHeaders
    /// False for HTTP/1.0.
    package var isHTTP11: Bool
    /// Bytes announced by Content-Length; nil for chunked and for no body.
    package var contentLength: UInt64?

    package init(
        method: String, path: String, query: String?, headers: HTTPHeaders, isHTTP11: Bool,
        contentLength: UInt64?
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.isHTTP11 = isHTTP11
        self.contentLength = contentLength
    }
}
