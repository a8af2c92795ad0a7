package import HTTP

/// Why one operation of a client failed. Its text is what failures are counted by.
package enum ClientFailure: Error, Equatable, CustomStringConvertible {
    case notConnected(String)
    case connectionLost(String)
    case malformedResponse(HTTPResponseError)
    /// With the beginning of the body.
    case status(Int, String)
    /// The server answered 200, and said in the body that it failed, or something that makes no
    /// sense.
    case refused(String)
    case timedOut

    package var description: String {
        switch self {
        case .notConnected(let text): "cannot connect: \(text)"
        case .connectionLost(let text): text
        case .malformedResponse(let error): "malformed response: \(error)"
        case .status(let status, let text): "status \(status)\(text.isEmpty ? "" : ": \(text)")"
        case .refused(let text): text
        case .timedOut: "no answer in time"
        }
    }
}
