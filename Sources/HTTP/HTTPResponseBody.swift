/// What follows the head of a response. Give a HEAD request the body a GET would get: the
/// connection sends the same head and drops the body.
package enum HTTPResponseBody: Sendable {
    case none
    case bytes([UInt8])
    /// Bytes, at least one, sent as one chunk: for clients that must notice a body that was cut.
    case chunk([UInt8])
    /// Sent at the speed the client reads; chunked when `length` is nil. If the source throws, the
    /// connection is cut without the final chunk, so no client takes the answer to be whole. If it
    /// throws before its first piece, nothing was sent yet and the client gets a 500 instead.
    case stream(any HTTPBodySource, length: UInt64?)
}
