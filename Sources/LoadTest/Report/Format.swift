/// Figures as people read them.
enum Format {
    /// With so many digits behind the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return value.isFinite ? "\(value)" : "-" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        let whole = grouped(scaled / Int(scale))
        guard digits > 0 else { return sign + whole }
        let rest = String(scaled % Int(scale))
        return sign + whole + "." + String(repeating: "0", count: digits - rest.count) + rest
    }

    /// Three significant digits or more: `0.0123`, `1.23`, `12.3`, `12,345`.
    static func short(_ value: Double) -> String {
        switch abs(value) {
        case 0: "0"
        case ..<0.1: fixed(value, 4)
        case ..<10: fixed(value, 2)
        case ..<100: fixed(value, 1)
        default: fixed(value, 0)
        }
    }

    static func grouped(_ value: Int) -> String {
        let digits = String(value)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }

    /// - Parameter microseconds: a time.
    static func time(_ microseconds: Double) -> String {
        switch abs(microseconds) {
        case ..<1000: short(microseconds) + " us"
        case ..<1_000_000: short(microseconds / 1000) + " ms"
        default: short(microseconds / 1_000_000) + " s"
        }
    }

    static func size(_ bytes: Double) -> String {
        switch abs(bytes) {
        case ..<1024: short(bytes) + " B"
        case ..<1_048_576: short(bytes / 1024) + " KiB"
        case ..<1_073_741_824: short(bytes / 1_048_576) + " MiB"
        default: short(bytes / 1_073_741_824) + " GiB"
        }
    }

    static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
