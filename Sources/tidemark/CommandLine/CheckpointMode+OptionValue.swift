internal import CommandLineOptions
internal import SQLite

extension CheckpointMode: OptionValue {
    init(optionText: String) throws(InvalidOptionValue) {
        guard let mode = CheckpointMode(rawValue: optionText.lowercased()) else {
            let modes = CheckpointMode.allCases.map(\.rawValue).joined(separator: ", ")
            throw InvalidOptionValue("is none of \(modes)")
        }
        self = mode
    }
    var optionText: String { rawValue }
}
