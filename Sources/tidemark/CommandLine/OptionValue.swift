internal import Logging

/// A value that an option can hold, and its one text form: on the command line, in the
/// environment, in the configuration file and in the help.
protocol OptionValue: Equatable, Sendable {
    init(optionText: String) throws(InvalidOptionValue)
    /// Read back by `init(optionText:)`, it gives an equal value.
    var optionText: String { get }
}

/// Why a text is no value of its option: ends a sentence that begins with the text.
struct InvalidOptionValue: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

extension String: OptionValue {
    init(optionText: String) throws(InvalidOptionValue) {
        guard !optionText.isEmpty else { throw InvalidOptionValue("must not be empty") }
        guard !optionText.utf8.contains(0) else {
            throw InvalidOptionValue("must not hold a NUL character")
        }
        self = optionText
    }
    var optionText: String { self }
}

extension Int: OptionValue {
    init(optionText: String) throws(InvalidOptionValue) {
        // `Int("+5")` is 5, but nobody writes that on purpose.
        guard optionText.first != "+", let value = Int(optionText) else {
            throw InvalidOptionValue("is not a whole number")
        }
        self = value
    }
    var optionText: String { String(self) }
}

extension Bool: OptionValue {
    init(optionText: String) throws(InvalidOptionValue) {
        switch optionText {
        case "true", "yes", "on", "1": self = true
        case "false", "no", "off", "0": self = false
        default: throw InvalidOptionValue("is neither true nor false")
        }
    }
    var optionText: String { self ? "true" : "false" }
}

extension LogLevel: OptionValue {
    init(optionText: String) throws(InvalidOptionValue) {
        guard let level = LogLevel(name: optionText) else {
            let names = LogLevel.allCases.map(\.name).joined(separator: ", ")
            throw InvalidOptionValue("is none of \(names)")
        }
        self = level
    }
    var optionText: String { name }
}
