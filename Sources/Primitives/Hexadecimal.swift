/// Numbers as lower-case hexadecimal digits.
package enum Hexadecimal {
    /// 16 lower-case digits.
    package static func encode(_ value: UInt64) -> String {
        unsafe String(unsafeUninitializedCapacity: 16) { buffer in
            var text = unsafe OutputSpan(buffer: buffer, initializedCount: 0)
            append(value, digits: 16, to: &text)
            return unsafe text.finalize(for: buffer)
        }
    }

    /// - Parameter digits: how many; with fewer, leading zeros are missing.
    package static func append(_ value: UInt64, digits: Int, to text: inout OutputSpan<UInt8>) {
        var shift = 4 * digits
        while shift > 0 {
            shift -= 4
            let digit = UInt8(truncatingIfNeeded: value &>> UInt64(shift)) & 0xF
            text.append(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
        }
    }

    /// As few digits as the number has, at least one.
    package static func append(_ value: UInt64, to text: inout OutputSpan<UInt8>) {
        append(value, digits: max(1, (67 - value.leadingZeroBitCount) / 4), to: &text)
    }

    /// Reads all digits that stand at `offset`, up to 16, and moves it behind them.
    ///
    /// - Returns: nil if they are not as many as wanted.
    package static func readNumber(
        _ digits: ClosedRange<Int>, in text: Span<UInt8>, at offset: inout Int
    ) -> UInt64? {
        var value: UInt64 = 0
        var count = 0
        while count < digits.upperBound, offset < text.count {
            let byte = text[offset]
            let digit = byte &- 0x30
            let letter = byte &- 0x61
            guard digit < 10 || letter < 6 else { break }
            value = value &<< 4 | UInt64(digit < 10 ? digit : letter &+ 10)
            offset &+= 1
            count &+= 1
        }
        return digits.contains(count) ? value : nil
    }
}
