/// What to do with a request's body, decided from its head.
package enum HTTPBodyHandling: Sendable {
    /// Collect it, up to that many bytes (413 beyond), then call `HTTPHandler.handle`.
    case buffer(maximumBytes: Int)
    case stream(any HTTPBodySink)
    /// Answer now; what is left of the body is discarded or the connection closed.
    case refuse(HTTPResponse)
}
