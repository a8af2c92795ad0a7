internal import CommandLineOptions
internal import Logging

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
