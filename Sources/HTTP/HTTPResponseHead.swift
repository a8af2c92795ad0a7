/// What a client has to know of the head of a response.
package struct HTTPResponseHead: Equatable, Sendable {
    /// 200 to 599; interim responses are passed over.
    package let status: Int
    package let framing: Framing
    /// The connection may take another request after this response.
    package let keepsConnection: Bool
    /// The body is encoded (`Content-Encoding`) in some way.
    package let isEncoded: Bool

    package enum Framing: Equatable, Sendable {
        /// 0 also for the statuses that never have a body.
        case length(Int)
        case chunked
        /// Everything up to the end of the connection.
        case untilEnd
    }
}
