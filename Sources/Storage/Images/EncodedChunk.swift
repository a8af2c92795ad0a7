package import Primitives

/// How pages are encoded in an image. Storage only tells them apart.
package enum ImageEncoding: Int, CaseIterable, Sendable {
    /// Framed as in an answer to a pull; the same, compressed for HTTP.
    case framed, framedZstd, framedGzip
    /// Framed, each page compressed by itself.
    case pageZstd
    /// One page behind the other, as in a database file.
    case plain
}

/// What a chunk became, and what it was before it was compressed.
package struct EncodedChunk: Sendable {
    package struct Source: Equatable, Sendable {
        /// In bytes.
        package let size: Int
        /// CRC-32, where the encoding needs it; else 0.
        package let checksum: UInt32

        package init(size: Int, checksum: UInt32 = 0) {
            self.size = size
            self.checksum = checksum
        }
    }

    package let bytes: [UInt8]
    package let source: Source

    package init(bytes: [UInt8], source: Source) {
        self.bytes = bytes
        self.source = source
    }
}

/// What an image has of a chunk.
package enum ImageChunk: Sendable {
    case found(FileRegion, EncodedChunk.Source)
    /// Made just now, and kept; its bytes are in the page cache.
    case stored(FileRegion, EncodedChunk.Source)
    /// Made just now; there is no room to keep it.
    case made(EncodedChunk)

    package var source: EncodedChunk.Source {
        switch self {
        case .found(_, let source), .stored(_, let source): source
        case .made(let chunk): chunk.source
        }
    }
}
