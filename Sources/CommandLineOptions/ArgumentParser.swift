/// Splits the arguments of one command into options and operands, as POSIX and GNU tools do:
/// `--name value`, `--name=value`, `-n`, and `--` before operands that begin with a dash.
package struct ArgumentParser {
    /// What the parser must know of an option.
    package struct Option: Sendable {
        package let name: String
        package let shortName: Character?
        package let takesValue: Bool
    }

    package struct Result: Equatable {
        /// What was given for each option, in order; `true` for a switch without a value.
        package var texts: [String: [String]] = [:]
        package var operands: [String] = []
        package var wantsHelp = false
    }

    package let options: [Option]

    package init(options: [Option]) { self.options = options }

    package func parse(_ arguments: [String]) throws(CommandFailure) -> Result {
        var result = Result()
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                result.operands += rest
                break
            } else if argument == "--help" || argument == "-h" {
                // Help wins over whatever mistake follows: the person is looking for advice.
                result.wantsHelp = true
                break
            } else if argument.hasPrefix("--") {
                try parseLong(argument, &rest, &result)
            } else if argument.hasPrefix("-"), argument != "-" {
                try parseShort(argument, &rest, &result)
            } else {
                result.operands.append(argument)
            }
        }
        return result
    }

    private func parseLong(
        _ argument: String, _ rest: inout ArraySlice<String>, _ result: inout Result
    ) throws(CommandFailure) {
        let parts = argument.dropFirst(2).split(
            separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let option = options.first(where: { $0.name == name }) else {
            throw unknownOption("--\(name)")
        }
        if parts.count == 2 {
            result.texts[name, default: []].append(String(parts[1]))
        } else {
            try take(option, "--\(name)", &rest, &result)
        }
    }

    private func parseShort(
        _ argument: String, _ rest: inout ArraySlice<String>, _ result: inout Result
    ) throws(CommandFailure) {
        guard argument.count == 2, let letter = argument.last,
            let option = options.first(where: { $0.shortName == letter })
        else { throw unknownOption(argument) }
        try take(option, argument, &rest, &result)
    }

    private func take(
        _ option: Option, _ spelling: String, _ rest: inout ArraySlice<String>,
        _ result: inout Result
    ) throws(CommandFailure) {
        guard option.takesValue else {
            result.texts[option.name, default: []].append("true")
            return
        }
        // `--data --listen …` is a forgotten value, not a directory called `--listen`; whoever
        // means such a name writes `--data=--listen`.
        guard let value = rest.first, !value.hasPrefix("--") else {
            throw CommandFailure(.usage, "option \(spelling) needs a value")
        }
        rest.removeFirst()
        result.texts[option.name, default: []].append(value)
    }

    private func unknownOption(_ spelling: String) -> CommandFailure {
        let known = options.map { "--\($0.name)" } + ["--help"]
        return CommandFailure(
            .usage, "unknown option \(spelling)",
            hint: Suggestion.nearest(to: spelling, in: known).map { "Did you mean \($0)?" })
    }
}
