/// A number of bytes, written as a whole number and a unit: `512`, `64KiB`, `10MB`, `1GiB`.
/// Units of 1000 and of 1024 are told apart; a bare `K` or `M`, which is neither, is refused.
package struct ByteSize: Comparable, Sendable {
    package let bytes: Int

    package static func < (left: ByteSize, right: ByteSize) -> Bool { left.bytes < right.bytes }

    package static func bytes(_ count: Int) -> ByteSize { ByteSize(bytes: count) }
    package static func mebibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 20) }
    package static func gibibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 30) }
}

extension ByteSize: OptionValue {
    /// Largest first. Suffixes are matched without case.
    private static let units: [(suffix: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("TB", 1_000_000_000_000), ("GiB", 1 << 30), ("GB", 1_000_000_000),
        ("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("KB", 1000), ("B", 1), ("", 1),
    ]

    package init(optionText: String) throws(InvalidOptionValue) {
        let digits = optionText.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let suffix = optionText.dropFirst(digits.count).lowercased()
        guard let unit = Self.units.first(where: { $0.suffix.lowercased() == suffix }),
            !digits.isEmpty
        else {
            throw InvalidOptionValue("is not a size such as 4096, 64KiB, 256MiB or 1GiB")
        }
        guard let count = Int(String(optionText.prefix(digits.count))) else {
            throw InvalidOptionValue("is too large a size")
        }
        let (product, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
        guard !overflow else { throw InvalidOptionValue("is too large a size") }
        bytes = product
    }

    package var optionText: String {
        let unit = Self.units.first { unit in
            bytes != 0 && bytes % unit.bytes == 0 && unit.suffix.hasSuffix("iB")
        }
        return unit.map { "\(bytes / $0.bytes)\($0.suffix)" } ?? String(bytes)
    }
}
