/// What people read about an option, in `--help` and in docs/operations.md.
package struct OptionDocumentation: Sendable {
    /// `--listen HOST:PORT`, `-q, --quiet`.
    package let spelling: String
    package let name: String
    package let environmentName: String?
    package let isInConfigurationFile: Bool
    package let defaultText: String?
    package let summary: String

    package init(_ option: OptionDefinition<some Sendable>) {
        let short = option.shortName.map { "-\($0), " } ?? ""
        let value = option.valueName.map { " \($0)" } ?? ""
        spelling = "\(short)--\(option.name)\(value)"
        name = option.name
        environmentName = option.scope == .commandLine ? nil : option.environmentName
        isInConfigurationFile = option.scope == .everywhere
        defaultText = option.defaultText
        summary = option.summary
    }

    /// The row of the table in docs/operations.md.
    package var markdownRow: String {
        let value = defaultText.map { "`\($0)`" } ?? ""
        return "| `\(spelling)` | \(value) | \(summary) |"
    }

    /// Two columns: the spelling, then the summary wrapped to `width`.
    package func helpText(width: Int = 80) -> String {
        let indent = 4
        let column = 32
        var lines: [String] = []
        var line = String(repeating: " ", count: indent) + spelling
        if line.count > column - 2 {
            lines.append(line)
            line = ""
        }
        line += String(repeating: " ", count: column - line.count)
        var isLineEmpty = true
        let text = summary + (defaultText.map { " (default: \($0))" } ?? "")
        for word in text.split(separator: " ") {
            if !isLineEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = String(repeating: " ", count: column)
                isLineEmpty = true
            }
            line += (isLineEmpty ? "" : " ") + word
            isLineEmpty = false
        }
        lines.append(line)
        return lines.joined(separator: "\n")
    }
}
