package import CommandLineOptions

/// Which half of frame sync is measured.
package enum FrameDirection: String, CaseIterable, Sendable, OptionValue {
    case push, pull

    package init(optionText: String) throws(InvalidOptionValue) {
        guard let value = FrameDirection(rawValue: optionText) else {
            throw InvalidOptionValue("is neither push nor pull")
        }
        self = value
    }

    package var optionText: String { rawValue }
}
