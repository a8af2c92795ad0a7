/// The running checksum of SQLite's WAL over pairs of 32-bit words.
///
/// Format: https://www.sqlite.org/fileformat2.html#checksum_algorithm
package enum WALChecksum {
    /// - Parameters:
    ///   - bytes: a multiple of 8; what is left over is not looked at.
    ///   - start: of what comes before.
    ///   - isBigEndian: the byte order of the words, which the magic of a WAL names.
    package static func checksum(
        _ bytes: UnsafeRawBufferPointer, from start: (UInt32, UInt32), isBigEndian: Bool
    ) -> (UInt32, UInt32) {
        var (first, second) = start
        var offset = 0
        while offset + 8 <= bytes.count {
            var left = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            var right = unsafe bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
            if isBigEndian {
                left = UInt32(bigEndian: left)
                right = UInt32(bigEndian: right)
            } else {
                left = UInt32(littleEndian: left)
                right = UInt32(littleEndian: right)
            }
            first = first &+ left &+ second
            second = second &+ right &+ first
            offset += 8
        }
        return (first, second)
    }
}
