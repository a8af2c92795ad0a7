/// How much a client may send before the body, and around its chunks.
package struct HTTPParserLimits: Sendable {
    /// Request line and fields with all line ends, in bytes (431 beyond).
    package var headBytes = 64 * 1024
    /// Fields of one head (431 beyond).
    package var fieldCount = 128
    /// The request target, in bytes (414 beyond).
    package var targetBytes = 16 * 1024
    /// Trailer fields of one chunked body together, in bytes (431 beyond).
    package var trailerBytes = 8 * 1024
    /// Chunk extensions of one body together, in bytes. They are read past and mean nothing, so
    /// without a bound a client could send them for ever at no cost to its body limit.
    package var chunkExtensionBytes = 16 * 1024

    package init() {}
}
