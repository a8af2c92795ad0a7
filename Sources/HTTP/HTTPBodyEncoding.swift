/// How the end of a response's body is marked.
package enum HTTPBodyEncoding: Equatable, Sendable {
    /// No body follows: HEAD, 204, 304, or an empty one.
    case none
    /// Content-Length, in bytes; may be 0 for a stream.
    case sized(UInt64)
    case chunked
    /// By closing the connection, for HTTP/1.0 clients and bodies of unknown length.
    case untilClose
}
