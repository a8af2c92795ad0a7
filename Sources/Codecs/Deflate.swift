internal import CZlib

/// The parts of a gzip body (RFC 1952) whose blocks (RFC 1951) were made one by one.
enum Deflate {
    /// No name, no time, no comment; a sender that is not said.
    static let gzipHeader: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]
    /// An empty block, marked as the last one.
    static let lastBlock: [UInt8] = [3, 0]

    /// Blocks that end on a byte, none marked as the last, and look back at nothing before them.
    ///
    /// - Parameter level: 1 (fastest) to 9.
    static func blocks(of bytes: [UInt8], level: Int) throws(CompressionError) -> [UInt8] {
        var stream = unsafe z_stream()
        guard unsafe czlib_deflate_init(&stream, Int32(level)) == Z_OK else { throw .outOfMemory }
        defer { unsafe deflateEnd(&stream) }
        // The flush adds at most an empty stored block, twice.
        let capacity = unsafe Int(deflateBound(&stream, UInt(bytes.count))) + 32
        return unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initializedCount in
            unsafe bytes.withUnsafeBufferPointer { source in
                unsafe stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                unsafe stream.avail_in = UInt32(source.count)
                unsafe stream.next_out = buffer.baseAddress
                unsafe stream.avail_out = UInt32(buffer.count)
                let code = unsafe deflate(&stream, Z_FULL_FLUSH)
                precondition(
                    unsafe code == Z_OK && stream.avail_in == 0 && stream.avail_out > 0,
                    "zlib did not take all of a piece")
            }
            initializedCount = unsafe buffer.count - Int(stream.avail_out)
        }
    }

    static func checksum(of bytes: [UInt8]) -> UInt32 {
        unsafe UInt32(crc32_z(0, bytes, bytes.count))
    }

    /// CRC-32 of what has the first checksum, followed by what has the second.
    static func combine(_ first: UInt32, _ second: UInt32, secondSize: Int) -> UInt32 {
        UInt32(crc32_combine(UInt(first), UInt(second), secondSize))
    }
}
