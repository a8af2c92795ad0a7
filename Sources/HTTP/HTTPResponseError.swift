/// Why what a server sent is not a response.
package enum HTTPResponseError: Error, Equatable, CustomStringConvertible {
    case malformedStatusLine
    case malformedField
    case headTooLarge
    case invalidContentLength
    case lengthAndTransferEncoding
    case unknownTransferEncoding
    case malformedChunks
    /// The connection ended inside a response.
    case truncated
    /// Bytes that nobody asked for.
    case unexpectedBytes

    package var description: String {
        switch self {
        case .malformedStatusLine: "malformed status line"
        case .malformedField: "malformed header field"
        case .headTooLarge: "response head too large"
        case .invalidContentLength: "invalid Content-Length"
        case .lengthAndTransferEncoding: "both Content-Length and Transfer-Encoding"
        case .unknownTransferEncoding: "unknown Transfer-Encoding"
        case .malformedChunks: "malformed chunks"
        case .truncated: "response cut off"
        case .unexpectedBytes: "bytes behind the response"
        }
    }
}
