internal import Primitives

/// The body of a frame push: frames of SQLite's WAL, one after another, without the WAL's header.
///
/// | offset | size | field |
/// | --- | --- | --- |
/// | 0 | 4 | page number, big-endian |
/// | 4 | 4 | pages after the commit that the frame ends, or 0, big-endian |
/// | 8 | 8 | the client's salts, not looked at |
/// | 16 | 8 | checksum of this frame and all before it, big-endian |
/// | 24 | 4096 | the page |
package struct FrameBody: Equatable, Sendable {
    package static let frameHeaderSize = 24
    package static let frameSize = frameHeaderSize + pageSize

    /// Why a body is not taken.
    package enum Failure: Error, Equatable {
        case wrongSize(expected: Int, actual: Int)
        /// The checksum of the frame with this index does not follow from that of the frame
        /// before: bytes were damaged on their way.
        case brokenChain(index: Int)
    }

    package let bytes: [UInt8]

    /// - Parameter count: of frames, as the URL has it.
    package init(decoding bytes: [UInt8], count: Int) throws(Failure) {
        guard bytes.count == count * Self.frameSize else {
            throw .wrongSize(expected: count * Self.frameSize, actual: bytes.count)
        }
        self.bytes = bytes
        // Clients write their WAL in either byte order; the WAL's header, which would say which,
        // does not travel.
        guard let index = brokenFrame(isBigEndian: false), brokenFrame(isBigEndian: true) != nil
        else { return }
        throw .brokenChain(index: index)
    }

    package var count: Int { bytes.count / Self.frameSize }

    /// All bytes of one frame.
    package subscript(index: Int) -> ArraySlice<UInt8> {
        bytes[index * Self.frameSize..<(index + 1) * Self.frameSize]
    }

    /// The first frame whose checksum does not follow from the one before. The first frame of a
    /// body follows from one that is not here.
    private func brokenFrame(isBigEndian: Bool) -> Int? {
        guard count > 1 else { return nil }
        return unsafe bytes.withUnsafeBytes { buffer in
            var sum = unsafe Self.storedChecksum(buffer, index: 0)
            for index in 1..<count {
                let start = index * Self.frameSize
                sum = unsafe WALChecksum.checksum(
                    UnsafeRawBufferPointer(rebasing: buffer[start..<start + 8]), from: sum,
                    isBigEndian: isBigEndian)
                sum = unsafe WALChecksum.checksum(
                    UnsafeRawBufferPointer(
                        rebasing: buffer[start + Self.frameHeaderSize..<start + Self.frameSize]),
                    from: sum, isBigEndian: isBigEndian)
                guard unsafe sum == Self.storedChecksum(buffer, index: index) else { return index }
            }
            return nil
        }
    }

    private static func storedChecksum(
        _ buffer: UnsafeRawBufferPointer, index: Int
    ) -> (UInt32, UInt32) {
        func word(_ offset: Int) -> UInt32 {
            unsafe UInt32(
                bigEndian: buffer.loadUnaligned(
                    fromByteOffset: index * frameSize + offset, as: UInt32.self))
        }
        return (word(16), word(20))
    }
}
