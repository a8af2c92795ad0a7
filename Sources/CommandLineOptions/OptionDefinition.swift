/// One option: the only place that says how it is called, what it holds, what it is for and what
/// it does. The parser, the environment, the configuration file, the help and the check of
/// docs/operations.md all read this, so that they cannot drift apart.
package struct OptionDefinition<Settings: Sendable>: Sendable {
    /// From where a value may come, besides the command line.
    package enum Scope: Sendable {
        case commandLine, environment
        /// The environment and the configuration file.
        case everywhere
    }

    /// Without dashes in front; also the key in the configuration file.
    package let name: String
    package var shortName: Character?
    /// Stands for the value in the help; nil for a switch, which takes none.
    package let valueName: String?
    package let isRepeatable: Bool
    package var scope: Scope
    /// What holds where nobody says anything; nil if that is nothing worth showing.
    package let defaultText: String?
    /// One sentence or two, without a full stop at the end.
    package let summary: String
    /// Puts in what one source says. More than one text only where that source says it repeatedly.
    package let apply: @Sendable (inout Settings, [String]) throws(InvalidOptionValue) -> Void

    /// `TIDEMARK_MAX_BODY_SIZE` for `max-body-size`.
    package var environmentName: String {
        "TIDEMARK_"
            + String(name.map { $0 == "-" ? "_" : $0 }).uppercased()
    }

    package func scoped(_ scope: Scope, short: Character? = nil) -> Self {
        var copy = self
        copy.scope = scope
        copy.shortName = short
        return copy
    }
}

extension OptionDefinition {
    /// An option that holds one value. The last of several texts counts; all are checked.
    package static func value<Value: OptionValue>(
        _ name: String, _ valueName: String,
        _ path: any WritableKeyPath<Settings, Value> & Sendable, of defaults: Settings,
        _ summary: String
    ) -> Self {
        Self(
            name: name, valueName: valueName, isRepeatable: false, scope: .everywhere,
            defaultText: defaults[keyPath: path].optionText, summary: summary
        ) { (settings, texts) throws(InvalidOptionValue) in
            for text in texts { settings[keyPath: path] = try Value(optionText: text) }
        }
    }

    /// An option that holds one value of those in `range`.
    package static func value<Value: OptionValue & Comparable>(
        _ name: String, _ valueName: String,
        _ path: any WritableKeyPath<Settings, Value> & Sendable, of defaults: Settings,
        in range: ClosedRange<Value>, shownDefault: String? = nil, _ summary: String
    ) -> Self {
        Self(
            name: name, valueName: valueName, isRepeatable: false, scope: .everywhere,
            defaultText: shownDefault ?? defaults[keyPath: path].optionText, summary: summary
        ) { (settings, texts) throws(InvalidOptionValue) in
            for text in texts {
                let value = try Value(optionText: text)
                guard range.contains(value) else {
                    throw InvalidOptionValue(
                        "is not between \(range.lowerBound.optionText) and "
                            + range.upperBound.optionText)
                }
                settings[keyPath: path] = value
            }
        }
    }

    /// An option whose value may be absent; `none` is the word for that, where there is one.
    package static func optional<Value: OptionValue>(
        _ name: String, _ valueName: String,
        _ path: any WritableKeyPath<Settings, Value?> & Sendable, of defaults: Settings,
        none: String? = nil, _ summary: String
    ) -> Self {
        Self(
            name: name, valueName: valueName, isRepeatable: false, scope: .everywhere,
            defaultText: defaults[keyPath: path]?.optionText ?? none, summary: summary
        ) { (settings, texts) throws(InvalidOptionValue) in
            for text in texts {
                settings[keyPath: path] = text == none ? nil : try Value(optionText: text)
            }
        }
    }

    /// An option that holds a list: given several times, separated by commas, or both.
    package static func list<Value: OptionValue>(
        _ name: String, _ valueName: String,
        _ path: any WritableKeyPath<Settings, [Value]> & Sendable, of defaults: Settings,
        _ summary: String
    ) -> Self {
        Self(
            name: name, valueName: valueName, isRepeatable: true, scope: .everywhere,
            defaultText: defaults[keyPath: path].isEmpty
                ? nil : defaults[keyPath: path].map(\.optionText).joined(separator: ","),
            summary: summary
        ) { (settings, texts) throws(InvalidOptionValue) in
            var values: [Value] = []
            for text in texts {
                for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                    let value = try Value(optionText: String(part.trimmingSpaces()))
                    if !values.contains(value) { values.append(value) }
                }
            }
            settings[keyPath: path] = values
        }
    }

    /// A switch: `--name` turns it on; elsewhere, or as `--name=false`, it is spelled out.
    package static func flag(
        _ name: String, _ path: any WritableKeyPath<Settings, Bool> & Sendable, _ summary: String
    ) -> Self {
        Self(
            name: name, valueName: nil, isRepeatable: false, scope: .everywhere, defaultText: nil,
            summary: summary
        ) { (settings, texts) throws(InvalidOptionValue) in
            for text in texts { settings[keyPath: path] = try Bool(optionText: text) }
        }
    }
}

extension Substring {
    fileprivate func trimmingSpaces() -> Substring {
        var trimmed = drop { $0 == " " }
        while trimmed.last == " " { trimmed.removeLast() }
        return trimmed
    }
}
