internal import CommandLineOptions

/// A command or a group of commands: its help, and what it does.
struct Command: Sendable {
    /// An argument that is no option.
    struct Operand: Sendable {
        let name: String
        let summary: String
    }

    enum Outcome: Equatable {
        /// The arguments ask for help.
        case help
        case finished(exitCode: Int32)
    }

    let name: String
    let summary: String
    var details: String?
    var operands: [Operand] = []
    var options: [OptionDocumentation] = []
    /// Empty for a command that does something itself.
    var subcommands: [Command] = []
    /// Runs with the arguments behind the command's name.
    let run: @Sendable ([String], CommandContext) throws -> Outcome

    /// A command with options. It fails unless exactly the operands that it names are given.
    static func leaf<Settings: Sendable>(
        _ name: String, _ summary: String, details: String? = nil, operands: [Operand] = [],
        _ table: OptionTable<Settings>,
        _ body:
            @escaping @Sendable (OptionTable<Settings>.Resolution, CommandContext) throws
            -> Int32
    ) -> Command {
        Command(
            name: name, summary: summary, details: details, operands: operands,
            options: table.options.map { OptionDocumentation($0) }
        ) { arguments, context in
            let parsed = try table.parser.parse(arguments)
            guard !parsed.wantsHelp else { return .help }
            if parsed.operands.count < operands.count {
                let missing = operands[parsed.operands.count].name
                throw CommandFailure(.usage, "\(missing) is missing")
            }
            if parsed.operands.count > operands.count {
                let extra = parsed.operands[operands.count]
                throw CommandFailure(.usage, "unexpected argument '\(extra)'")
            }
            let resolution = try table.resolve(
                parsed, environment: context.environment, readFile: ConfigurationFile.read)
            return .finished(exitCode: try body(resolution, context))
        }
    }

    /// A group of commands, which does nothing by itself.
    static func group(
        _ name: String, _ summary: String, details: String? = nil, _ subcommands: [Command]
    ) -> Command {
        Command(name: name, summary: summary, details: details, subcommands: subcommands) { _, _ in
            .help
        }
    }

    /// - Parameter path: the words that call the command: `tidemark db import`.
    func helpText(path: String) -> String {
        var sections = ["\(summary)."]
        if subcommands.isEmpty {
            let words = operands.map { " \($0.name)" }.joined()
            sections.append("Usage: \(path)\(words)\(options.isEmpty ? "" : " [options]")")
            if !operands.isEmpty {
                sections.append("Arguments:\n" + columns(operands.map { ($0.name, $0.summary) }))
            }
        } else {
            sections.append("Usage: \(path) COMMAND [options]")
            sections.append("Commands:\n" + columns(subcommands.map { ($0.name, $0.summary) }))
        }
        if let details { sections.append(details) }
        let help = "    -h, --help                  Show this help"
        sections.append(
            "Options:\n" + (options.map { $0.helpText() } + [help]).joined(separator: "\n"))
        if !subcommands.isEmpty {
            sections.append("'\(path) COMMAND --help' says more about a command.")
        }
        return sections.joined(separator: "\n\n") + "\n"
    }

    private func columns(_ rows: [(String, String)]) -> String {
        let width = (rows.map(\.0.count).max() ?? 0) + 2
        return rows.map { name, summary in
            "    " + name + String(repeating: " ", count: width - name.count) + summary
        }.joined(separator: "\n")
    }
}
