/// How the end of a request's body is found (RFC 9112, section 6.3).
package enum HTTPBodyFraming: Equatable, Sendable {
    case none
    /// Content-Length, in bytes.
    case sized(UInt64)
    case chunked
}
