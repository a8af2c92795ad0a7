/// A value that an option can hold, and its one text form: on the command line, in the
/// environment, in the configuration file and in the help.
package protocol OptionValue: Equatable, Sendable {
    init(optionText: String) throws(InvalidOptionValue)
    /// Read back by `init(optionText:)`, it gives an equal value.
    var optionText: String { get }
}

/// Why a text is no value of its option: ends a sentence that begins with the text.
package struct InvalidOptionValue: Error, Equatable {
    package let reason: String
    package init(_ reason: String) { self.reason = reason }
}

extension String: OptionValue {
    package init(optionText: String) throws(InvalidOptionValue) {
        guard !optionText.isEmpty else { throw InvalidOptionValue("must not be empty") }
        guard !optionText.utf8.contains(0) else {
            throw InvalidOptionValue("must not hold a NUL character")
        }
        self = optionText
    }
    package var optionText: String { self }
}

extension Int: OptionValue {
    package init(optionText: String) throws(InvalidOptionValue) {
        // `Int("+5")` is 5, but nobody writes that on purpose.
        guard optionText.first != "+", let value = Int(optionText) else {
            throw InvalidOptionValue("is not a whole number")
        }
        self = value
    }
    package var optionText: String { String(self) }
}

extension Bool: OptionValue {
    package init(optionText: String) throws(InvalidOptionValue) {
        switch optionText {
        case "true", "yes", "on", "1": self = true
        case "false", "no", "off", "0": self = false
        default: throw InvalidOptionValue("is neither true nor false")
        }
    }
    package var optionText: String { self ? "true" : "false" }
}
