/// Why bytes could not be decompressed or compressed.
package enum ZstdError: Error, Equatable {
    /// Not zstd, or damaged. The text is the library's and holds nothing of the content.
    case malformed(reason: String)
    /// A frame wants a window larger than this process gives it.
    case windowTooLarge
    /// More output than `limit` bytes.
    case outputTooLarge(limit: Int)
    /// The input ended inside a frame.
    case truncated
    case outOfMemory
}
