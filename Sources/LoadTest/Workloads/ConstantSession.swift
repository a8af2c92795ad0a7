package import HTTP

/// A client that sends the same request again and again, and only counts the answers.
package final class ConstantSession: ClientSession {
    private let request: [UInt8]
    package let needsNewConnection: Bool

    package init(request: [UInt8], needsNewConnection: Bool = false) {
        self.request = request
        self.needsNewConnection = needsNewConnection
    }

    package func nextRequest() -> [UInt8] { request }
    package func finish(_ head: HTTPResponseHead) -> SessionVerdict { .completed(kind: 0) }
}
