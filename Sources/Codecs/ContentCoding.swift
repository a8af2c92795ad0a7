/// How a body is compressed on its way.
package enum ContentCoding: String, Sendable {
    case zstd, gzip
}

/// Codes a body piece by piece. Each piece becomes bytes that depend on nothing before them, so
/// they can be kept and sent in other bodies of the same coding, and nothing is held between
/// pieces.
///
/// With zstd a piece is a frame, and frames that follow each other are one body (RFC 8878, 3.1).
/// With gzip that would be members, of which browsers read the first only. So a body is one
/// member, a piece is deflate blocks that end on a byte and look back no further than the piece
/// (a full flush), and the checksum of the whole is combined from theirs.
package struct ContentEncoder: Sendable {
    /// A coded piece.
    package struct Piece: Sendable {
        package let bytes: [UInt8]
        /// Size before the coding, in bytes.
        package let sourceSize: Int
        /// CRC-32 before the coding, for gzip; else 0.
        package let checksum: UInt32

        package init(bytes: [UInt8], sourceSize: Int, checksum: UInt32) {
            self.bytes = bytes
            self.sourceSize = sourceSize
            self.checksum = checksum
        }
    }

    package let coding: ContentCoding
    private let level: Int
    private var checksum: UInt32 = 0
    private var size: UInt64 = 0
    private var hasBegun = false

    /// - Parameter level: 1 (fastest) to 19; with gzip 9 is the highest.
    package init(_ coding: ContentCoding, level: Int) {
        self.coding = coding
        self.level = level
    }

    /// Codes a piece by itself.
    package static func piece(
        of bytes: [UInt8], coding: ContentCoding, level: Int
    ) throws(CompressionError) -> Piece {
        switch coding {
        case .zstd:
            Piece(
                bytes: try ZstdCompressor.compress(bytes, level: level),
                sourceSize: bytes.count, checksum: 0)
        case .gzip:
            Piece(
                bytes: try Deflate.blocks(of: bytes, level: min(level, 9)),
                sourceSize: bytes.count, checksum: Deflate.checksum(of: bytes))
        }
    }

    package func piece(of bytes: [UInt8]) throws(CompressionError) -> Piece {
        try Self.piece(of: bytes, coding: coding, level: level)
    }

    /// Takes a piece in. Its bytes come next in the body, behind those that are returned.
    package mutating func append(sourceSize: Int, checksum: UInt32) -> [UInt8] {
        defer { hasBegun = true }
        guard coding == .gzip else { return [] }
        self.checksum = Deflate.combine(self.checksum, checksum, secondSize: sourceSize)
        size += UInt64(sourceSize)
        return hasBegun ? [] : Deflate.gzipHeader
    }

    /// The end of the body.
    package mutating func finish() -> [UInt8] {
        guard coding == .gzip else { return [] }
        let begin = append(sourceSize: 0, checksum: 0)
        return begin + Deflate.lastBlock + Self.littleEndian(checksum)
            + Self.littleEndian(UInt32(truncatingIfNeeded: size))
    }

    private static func littleEndian(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }
}
