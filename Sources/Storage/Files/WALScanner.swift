internal import Primitives

/// Reads a WAL the way SQLite's recovery does: frames count while their salts equal the header's
/// and the checksum chain holds, and only up to the last commit frame.
///
/// Format: https://www.sqlite.org/fileformat2.html#walformat
package struct WALScanner {
    package static let headerSize = 32
    package static let frameHeaderSize = 24
    package static let frameSize = frameHeaderSize + pageSize

    package struct Header: Equatable, Sendable {
        package let salt1: UInt32
        package let salt2: UInt32
        fileprivate let checksum: (UInt32, UInt32)
        fileprivate let isBigEndianChecksum: Bool

        package static func == (left: Header, right: Header) -> Bool {
            left.salt1 == right.salt1 && left.salt2 == right.salt2
        }
    }

    /// A transaction in the WAL.
    package struct Commit: Equatable, Sendable {
        package let lastFrame: UInt32
        package let databaseSize: UInt32
    }

    package let header: Header
    /// Pages of the frames seen so far, committed or not.
    package private(set) var pages: [UInt32] = []
    package private(set) var commits: [Commit] = []
    private var checksum: (UInt32, UInt32)

    /// Nil if the bytes are not the header of a WAL with our page size: SQLite ignores such a
    /// file, too.
    package init?(header bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headerSize else { return nil }
        func word(_ index: Int) -> UInt32 { unsafe Self.bigEndianWord(bytes, at: index * 4) }
        let magic = word(0)
        guard magic & 0xFFFF_FFFE == 0x377F_0682, word(1) == 3_007_000, word(2) == UInt32(pageSize)
        else { return nil }
        let isBigEndian = magic & 1 == 1
        let sum = unsafe Self.checksum(
            UnsafeRawBufferPointer(rebasing: bytes[0..<24]), from: (0, 0), isBigEndian: isBigEndian)
        guard sum.0 == word(6), sum.1 == word(7) else { return nil }
        header = Header(
            salt1: word(4), salt2: word(5), checksum: sum, isBigEndianChecksum: isBigEndian)
        checksum = sum
    }

    /// Takes the next frame; false at the end of what is valid.
    package mutating func append(frame bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= Self.frameSize else { return false }
        func word(_ index: Int) -> UInt32 { unsafe Self.bigEndianWord(bytes, at: index * 4) }
        guard word(2) == header.salt1, word(3) == header.salt2,
            PageNumber(word(0)) != nil
        else { return false }
        let isBigEndian = header.isBigEndianChecksum
        var sum = unsafe Self.checksum(
            UnsafeRawBufferPointer(rebasing: bytes[0..<8]), from: checksum, isBigEndian: isBigEndian
        )
        sum = unsafe Self.checksum(
            UnsafeRawBufferPointer(rebasing: bytes[Self.frameHeaderSize..<Self.frameSize]),
            from: sum,
            isBigEndian: isBigEndian)
        guard sum.0 == word(4), sum.1 == word(5) else { return false }
        checksum = sum
        pages.append(word(0))
        if word(1) != 0 {
            commits.append(Commit(lastFrame: UInt32(pages.count), databaseSize: word(1)))
        }
        return true
    }

    /// Offset of a frame's page in the WAL, in bytes.
    package static func pageOffset(frame: UInt32) -> Int64 {
        Int64(headerSize) + Int64(frame - 1) * Int64(frameSize) + Int64(frameHeaderSize)
    }

    /// Offset of a frame in the WAL, in bytes.
    package static func frameOffset(_ frame: UInt32) -> Int64 {
        pageOffset(frame: frame) - Int64(frameHeaderSize)
    }

    private static func bigEndianWord(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
        unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The running checksum over pairs of 32-bit words, in the byte order that the magic names.
    package static func checksum(
        _ bytes: UnsafeRawBufferPointer, from start: (UInt32, UInt32), isBigEndian: Bool
    ) -> (UInt32, UInt32) {
        unsafe WALChecksum.checksum(bytes, from: start, isBigEndian: isBigEndian)
    }
}
