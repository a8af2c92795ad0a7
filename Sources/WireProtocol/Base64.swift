/// Base64 as blobs travel in JSON: RFC 4648, 4, the alphabet with `+` and `/`.
///
/// Ours, because `Data`'s wants a copy of the blob on the way in and a string on the way out, and
/// blobs are most of some pushes.
package enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let invalid: UInt8 = 0xFF
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: invalid, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    /// Appends without padding, which is what the clients send and read.
    static func encode(_ blob: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        output.reserveCapacity(output.count + (blob.count * 4 + 2) / 3)
        let alphabet = alphabet
        let wholeGroups = blob.count / 3 * 3
        for index in stride(from: 0, to: wholeGroups, by: 3) {
            let group =
                unsafe UInt32(blob[index]) << 16 | UInt32(blob[index + 1]) << 8
                | UInt32(blob[index + 2])
            for shift: UInt32 in [18, 12, 6, 0] {
                output.append(alphabet[Int(group >> shift & 63)])
            }
        }
        var group: UInt32 = 0
        let rest = blob.count - wholeGroups
        for index in 0..<rest {
            unsafe group |= UInt32(blob[wholeGroups + index]) << (16 - 8 * index)
        }
        for index in 0..<(rest == 0 ? 0 : rest + 1) {
            output.append(alphabet[Int(group >> (18 - 6 * index) & 63)])
        }
    }

    /// Accepts whole padding or none; nil for anything else: other characters, a stray one, bits
    /// set that no byte holds.
    package static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { unsafe decode(UnsafeRawBufferPointer($0)) }
    }

    static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var count = text.count
        if unsafe count % 4 == 0 && count > 0 && text[count - 1] == UInt8(ascii: "=") {
            unsafe count -= text[count - 2] == UInt8(ascii: "=") ? 2 : 1
        }
        guard count % 4 != 1 else { return nil }
        let values = values
        var isValid = true
        let blob = unsafe [UInt8](unsafeUninitializedCapacity: count * 3 / 4) {
            buffer, initializedCount in
            var bits: UInt32 = 0
            var bitCount = 0
            var seen: UInt8 = 0
            for index in 0..<count {
                let value = values[Int(unsafe text[index])]
                seen |= value
                bits = bits << 6 | UInt32(value & 63)
                bitCount += 6
                guard bitCount >= 8 else { continue }
                bitCount -= 8
                unsafe buffer[initializedCount] = UInt8(
                    truncatingIfNeeded: bits >> UInt32(bitCount))
                initializedCount += 1
            }
            // Values have six bits; only `invalid` has the upper two.
            isValid = seen < 64 && bits & (1 << UInt32(bitCount) - 1) == 0
        }
        return isValid ? blob : nil
    }
}
