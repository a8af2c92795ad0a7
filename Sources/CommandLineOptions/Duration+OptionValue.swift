/// Durations are written as a whole number and a unit: `500ms`, `30s`, `5m`, `1h`, `1d`.
extension Duration: OptionValue {
    /// Largest first; factors in milliseconds.
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    package init(optionText: String) throws(InvalidOptionValue) {
        // The one number that means the same in every unit, and what turns things off.
        if optionText == "0" {
            self = .zero
            return
        }
        let digits = optionText.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let suffix = String(optionText.dropFirst(digits.count))
        guard let unit = Self.units.first(where: { $0.suffix == suffix }), !digits.isEmpty else {
            throw InvalidOptionValue("is not a duration such as 500ms, 30s, 5m, 1h or 1d")
        }
        guard let count = Int64(String(optionText.prefix(digits.count))) else {
            throw InvalidOptionValue("is too long a duration")
        }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow else { throw InvalidOptionValue("is too long a duration") }
        self = .milliseconds(milliseconds)
    }

    package var optionText: String {
        let (seconds, attoseconds) = components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        guard milliseconds != 0 else { return "0s" }
        // Two minutes at least, so that 60s stays 60s: what people write.
        let unit =
            Self.units.first { unit in
                milliseconds % unit.milliseconds == 0
                    && (milliseconds >= 2 * unit.milliseconds || unit.milliseconds <= 1000)
            } ?? Self.units[Self.units.count - 1]
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}
