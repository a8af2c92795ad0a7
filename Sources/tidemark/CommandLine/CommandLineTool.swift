internal import CommandLineOptions

/// Finds the command that the arguments name, runs it, and reports what went wrong.
enum CommandLineTool {
    static let root = Command.group(
        "tidemark", "Tidemark serves SQLite databases to local-first sync clients",
        details: """
            'tidemark --version' shows the version. Options can also come from the environment
            (TIDEMARK_DATA for --data) and, for 'serve', from a configuration file.
            """,
        [ServeCommand.command, DatabaseCommand.command, VersionCommand.command, helpCommand])

    /// - Returns: the exit code of the process.
    static func run(_ arguments: [String], _ context: CommandContext) -> Int32 {
        var arguments = arguments
        if arguments.first == "--version" { arguments[0] = "version" }
        if arguments.first == "help" { return help(Array(arguments.dropFirst()), context) }
        var command = root
        var path = root.name
        var rest = arguments[...]
        while let word = rest.first, !command.subcommands.isEmpty, !word.hasPrefix("-") {
            guard let next = command.subcommands.first(where: { $0.name == word }) else {
                return report(unknownCommand(word, in: command), path, context)
            }
            rest.removeFirst()
            command = next
            path += " \(word)"
        }
        return run(command, path, Array(rest), context)
    }

    private static func run(
        _ command: Command, _ path: String, _ arguments: [String], _ context: CommandContext
    ) -> Int32 {
        guard command.subcommands.isEmpty else {
            return runGroup(command, path, arguments, context)
        }
        do {
            switch try command.run(arguments, context) {
            case .help:
                context.console.writeOutput(command.helpText(path: path))
                return ExitCode.success.rawValue
            case .finished(let exitCode):
                return exitCode
            }
        } catch let failure as CommandFailure {
            return report(failure, path, context)
        } catch let error as AdministrationError {
            return report(error.commandFailure, path, context)
        } catch {
            return report(CommandFailure(.internalError, String(describing: error)), path, context)
        }
    }

    /// A group by itself: help where it is asked for, else a mistake.
    private static func runGroup(
        _ command: Command, _ path: String, _ arguments: [String], _ context: CommandContext
    ) -> Int32 {
        guard let word = arguments.first else {
            context.console.writeError(command.helpText(path: path))
            return ExitCode.usage.rawValue
        }
        if word == "--help" || word == "-h" {
            context.console.writeOutput(command.helpText(path: path))
            return ExitCode.success.rawValue
        }
        return report(
            CommandFailure(
                .usage, "unknown option \(word)", hint: "Options go behind the command."), path,
            context)
    }

    private static let helpCommand = Command(
        name: "help", summary: "Show the help of a command",
        operands: [.init(name: "COMMAND", summary: "The command, such as 'serve' or 'db import'")]
    ) { _, _ in .help }

    private static func help(_ words: [String], _ context: CommandContext) -> Int32 {
        var command = root
        var path = root.name
        for word in words where !word.hasPrefix("-") {
            guard let next = command.subcommands.first(where: { $0.name == word }) else {
                return report(unknownCommand(word, in: command), path, context)
            }
            command = next
            path += " \(word)"
        }
        context.console.writeOutput(command.helpText(path: path))
        return ExitCode.success.rawValue
    }

    private static func unknownCommand(_ word: String, in command: Command) -> CommandFailure {
        guard !command.subcommands.isEmpty else {
            return CommandFailure(.usage, "'\(command.name)' has no commands of its own")
        }
        let near = Suggestion.nearest(to: word, in: command.subcommands.map(\.name))
        return CommandFailure(
            .usage, "unknown command '\(word)'", hint: near.map { "Did you mean '\($0)'?" })
    }

    private static func report(
        _ failure: CommandFailure, _ path: String, _ context: CommandContext
    ) -> Int32 {
        var text = "tidemark: \(failure.message)\n"
        if let hint = failure.hint { text += "\(hint)\n" }
        if failure.exitCode == .usage { text += "Try '\(path) --help'.\n" }
        context.console.writeError(text)
        return failure.exitCode.rawValue
    }
}
