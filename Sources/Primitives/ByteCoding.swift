/// Appends fixed-width little-endian integers: the byte order of all files of our own.
extension [UInt8] {
    package mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe append(contentsOf: $0) }
    }
}

/// Appends fixed-width big-endian integers: the byte order of SQLite's files.
extension [UInt8] {
    package mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }
}

/// Reads fixed-width integers from bytes that may be anything; nil where the bytes run out.
package struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    package private(set) var offset: Int

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        offset = bytes.startIndex
    }

    package var remainingCount: Int { bytes.endIndex - offset }

    package mutating func readLittleEndian<Integer: FixedWidthInteger>(
        _ type: Integer.Type = Integer.self
    ) -> Integer? {
        guard remainingCount >= MemoryLayout<Integer>.size else { return nil }
        var value: Integer = 0
        for index in 0..<MemoryLayout<Integer>.size {
            value |= Integer(truncatingIfNeeded: bytes[offset + index]) << Integer(8 * index)
        }
        offset += MemoryLayout<Integer>.size
        return value
    }
}
