package import CommandLineOptions

/// `tidemark-bench`: finds the workload that the arguments name, runs it, and reports.
package enum BenchTool {
    /// - Returns: the exit code of the process.
    package static func run(_ arguments: [String], console: Console) -> Int32 {
        guard let word = arguments.first else {
            console.writeError(helpText)
            return ExitCode.usage.rawValue
        }
        do {
            switch word {
            case "--help", "-h", "help":
                return showHelp(Array(arguments.dropFirst()), console)
            case "compare", "--compare":
                return try CompareCommand.run(Array(arguments.dropFirst()), console)
            default:
                return try runWorkload(word, Array(arguments.dropFirst()), console)
            }
        } catch let failure as CommandFailure {
            return report(failure, console)
        } catch let error as BenchError {
            return report(error.commandFailure, console)
        } catch {
            return report(CommandFailure(.internalError, "\(error)"), console)
        }
    }

    private static func runWorkload(
        _ name: String, _ arguments: [String], _ console: Console
    ) throws -> Int32 {
        let command = try command(name)
        let parsed = try command.table.parser.parse(arguments)
        guard !parsed.wantsHelp else {
            console.writeOutput(command.helpText())
            return ExitCode.success.rawValue
        }
        if let extra = parsed.operands.first {
            throw CommandFailure(.usage, "unexpected argument '\(extra)'")
        }
        let resolution = try command.table.resolve(parsed, environment: [:]) {
            (path) throws(CommandFailure) in
            throw CommandFailure(.configuration, path)
        }
        let run = BenchRun(
            command: command, settings: resolution.settings, given: parsed.texts, console: console)
        try run.run()
        return ExitCode.success.rawValue
    }

    private static func command(_ name: String) throws(CommandFailure) -> BenchCommand {
        guard let command = BenchCommands.all.first(where: { $0.name == name }) else {
            let known = BenchCommands.all.map(\.name) + ["compare", "help"]
            let near = Suggestion.nearest(to: name, in: known)
            throw CommandFailure(
                .usage, "unknown workload '\(name)'", hint: near.map { "Did you mean '\($0)'?" })
        }
        return command
    }

    private static func showHelp(_ words: [String], _ console: Console) -> Int32 {
        let command = BenchCommands.all.first { $0.name == words.first }
        let compare = words.first == "compare" ? CompareCommand.helpText : nil
        console.writeOutput(command?.helpText() ?? compare ?? helpText)
        return ExitCode.success.rawValue
    }

    static var helpText: String {
        let width = (BenchCommands.all.map(\.name.count).max() ?? 0) + 2
        let rows = BenchCommands.all.map { "    \(Format.left($0.name, width))\($0.summary)" }
        return """
            Tidemark-bench measures sync servers under load.

            Usage: tidemark-bench WORKLOAD (--url URL | --start-server PATH) [options]
                   tidemark-bench compare A.json B.json

            Workloads:
            \(rows.joined(separator: "\n"))

            'tidemark-bench WORKLOAD --help' says more about a workload.

            """
    }

    private static func report(_ failure: CommandFailure, _ console: Console) -> Int32 {
        var text = "tidemark-bench: \(failure.message)\n"
        if let hint = failure.hint { text += "\(hint)\n" }
        if failure.exitCode == .usage { text += "Try 'tidemark-bench --help'.\n" }
        console.writeError(text)
        return failure.exitCode.rawValue
    }
}
