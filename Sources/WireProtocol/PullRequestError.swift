/// Why a body is not a pull request. Always the sender's fault.
package enum PullRequestError: Error, Equatable {
    case tooLarge(size: Int, limit: Int)
    /// Not protobuf, cut off, or a known field of the wrong wire type.
    case malformed
    /// `field` is the protocol's name for it.
    case invalidUTF8(field: String)
}
