/// Numbers as lower-case hexadecimal digits.
package enum Hexadecimal {
    /// 16 lower-case digits.
    package static func encode(_ value: UInt64) -> String {
        var text: [UInt8] = []
        append(value, digits: 16, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// - Parameter digits: how many; with fewer, leading zeros are missing.
    package static func append(_ value: UInt64, digits: Int, to text: inout [UInt8]) {
        for index in stride(from: digits - 1, through: 0, by: -1) {
            let digit = UInt8(truncatingIfNeeded: value >> (4 * index)) & 0xF
            text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    /// As few digits as the number has, at least one.
    package static func append(_ value: UInt64, to text: inout [UInt8]) {
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
        while count < digits.upperBound, offset < text.count, let digit = Self.value(text[offset]) {
            value = value << 4 | digit
            offset += 1
            count += 1
        }
        return digits.contains(count) ? value : nil
    }

    private static func value(_ digit: UInt8) -> UInt64? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(digit - UInt8(ascii: "a") + 10)
        default: nil
        }
    }
}
