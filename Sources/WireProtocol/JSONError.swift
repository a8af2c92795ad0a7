/// Why bytes are not one JSON document. The texts hold nothing of the content.
package enum JSONError: Error, Equatable {
    /// Bad syntax, bad UTF-8, a number beyond what can be held, or nothing at all.
    case malformed(reason: String)
    /// Arrays and objects nested deeper than `limit`.
    case tooDeep(limit: Int)
    /// Larger than the parser can index (4 GiB).
    case tooLarge
    case outOfMemory
}
