/// Protobuf's variable-length integers: seven bits a byte, the lowest first, the top bit set on
/// all bytes but the last.
enum Varint {
    /// Bytes of the largest 64-bit value.
    static let maximumSize = 10

    static func size(of value: UInt64) -> Int {
        max(1, (64 - value.leadingZeroBitCount + 6) / 7)
    }

    /// Returns how many bytes were written, `size(of: value)`.
    static func write(_ value: UInt64, into bytes: UnsafeMutableRawPointer) -> Int {
        var rest = value
        var count = 0
        while rest >= 0x80 {
            unsafe bytes.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            rest >>= 7
            count += 1
        }
        unsafe bytes.storeBytes(of: UInt8(rest), toByteOffset: count, as: UInt8.self)
        return count + 1
    }
}
