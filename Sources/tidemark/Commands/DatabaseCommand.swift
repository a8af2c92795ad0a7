internal import CommandLineOptions
internal import Endpoints
internal import Glibc
internal import Primitives

/// `tidemark db`: the databases of a data directory, or of a running server.
enum DatabaseCommand {
    static let command = Command.group(
        "db", "Create, list, show, import, export, checkpoint and delete databases",
        details: """
            The commands work on a data directory while no server runs (--data DIR), or through
            the admin listener of a running server (--admin URL).
            """,
        [
            create, list, stats, importFile, exportFile, checkpoint, delete, pins, dropPin,
        ])

    typealias Resolution = OptionTable<DatabaseOptions>.Resolution
    static let name = Command.Operand(
        name: "NAME", summary: "Name of the database: 1 to 128 of A-Z a-z 0-9 _ -")

    private static let create = Command.leaf(
        "create", "Create an empty database", operands: [name], DatabaseOptions.create
    ) { resolution, context in
        let name = try databaseName(resolution)
        try administration(resolution, context).create(name)
        context.console.writeOutput("created \(name.text)\n")
        return ExitCode.success.rawValue
    }

    private static let list = Command.leaf("list", "List the databases", DatabaseOptions.list) {
        resolution, context in
        let databases = try administration(resolution, context).list()
        context.console.writeOutput(
            resolution.settings.printsJSON
                ? try DatabaseListing.json(databases) : DatabaseListing.table(databases))
        return ExitCode.success.rawValue
    }

    private static let stats = Command.leaf(
        "stats", "Show the figures of a database", operands: [name], DatabaseOptions.stats
    ) { resolution, context in
        let name = try databaseName(resolution)
        let report = try administration(resolution, context).statistics(name)
        context.console.writeOutput(
            resolution.settings.printsJSON
                ? String(decoding: report.json, as: UTF8.self) + "\n"
                : StatisticsListing.text(report))
        return ExitCode.success.rawValue
    }

    private static let importFile = Command.leaf(
        "import", "Make a database of an SQLite file",
        operands: [name, .init(name: "FILE", summary: "The SQLite file; it is only read")],
        DatabaseOptions.importFile
    ) { resolution, context in
        let name = try databaseName(resolution)
        let path = resolution.operands[1]
        try requireRegularFile(path)
        let reporter = ProgressReporter(
            label: "import \(name.text)", console: context.console,
            isQuiet: resolution.settings.isQuiet)
        defer { reporter.finish() }
        let summary = try administration(resolution, context)
            .importFile(name, from: path, progress: reporter.update)
        reporter.finish()
        for conversion in summary.conversions {
            context.console.writeError("converted: \(conversion)\n")
        }
        for warning in summary.warnings {
            context.console.writeError("tidemark: warning: \(warning)\n")
        }
        let pages = summary.pageCount.map { " (\($0) pages)" } ?? ""
        context.console.writeOutput("imported \(name.text)\(pages)\n")
        return ExitCode.success.rawValue
    }

    private static let exportFile = Command.leaf(
        "export", "Write a consistent copy of a database to a file",
        operands: [name, .init(name: "FILE", summary: "The SQLite file to make")],
        DatabaseOptions.exportFile
    ) { resolution, context in
        let name = try databaseName(resolution)
        let output = try OutputFile(
            replacing: resolution.operands[1], overwrites: resolution.settings.overwrites)
        _ = TerminationSignals { signal in
            output.discard()
            _exit(128 + signal)
        }
        let reporter = ProgressReporter(
            label: "export \(name.text)", console: context.console,
            isQuiet: resolution.settings.isQuiet)
        defer { reporter.finish() }
        do {
            let administration = try administration(resolution, context)
            try administration.exportFile(
                name, to: output.temporaryPath, progress: reporter.update)
            try output.commit()
        } catch {
            output.discard()
            throw error
        }
        reporter.finish()
        context.console.writeOutput("exported \(name.text) to \(resolution.operands[1])\n")
        return ExitCode.success.rawValue
    }

    private static let checkpoint = Command.leaf(
        "checkpoint", "Copy a database's write-ahead log to its file", operands: [name],
        DatabaseOptions.checkpoint
    ) { resolution, context in
        let name = try databaseName(resolution)
        let result = try administration(resolution, context)
            .checkpoint(name, resolution.settings.checkpointMode)
        if result.isBusy {
            context.console.writeError("tidemark: warning: readers were in the way\n")
        }
        // SQLite's own words for its three numbers.
        context.console.writeOutput(
            "checkpointed \(name.text): busy \(result.isBusy ? 1 : 0), "
                + "log \(result.walFrameCount), checkpointed \(result.checkpointedFrameCount)\n")
        return ExitCode.success.rawValue
    }

    private static let delete = Command.leaf(
        "delete", "Delete a database and all its history", operands: [name],
        DatabaseOptions.delete
    ) { resolution, context in
        let name = try databaseName(resolution)
        guard try resolution.settings.isConfirmed || isDeletionConfirmed(name, context.console)
        else {
            context.console.writeError("tidemark: nothing was deleted\n")
            return ExitCode.usage.rawValue
        }
        try administration(resolution, context).delete(name)
        context.console.writeOutput("deleted \(name.text)\n")
        return ExitCode.success.rawValue
    }

    static func databaseName(_ resolution: Resolution) throws(CommandFailure)
        -> DatabaseName
    {
        guard let name = DatabaseName(resolution.operands[0]) else {
            throw CommandFailure(
                .dataError,
                "'\(resolution.operands[0])' cannot name a database: 1 to 128 letters, digits, "
                    + "'_' and '-' can")
        }
        return name
    }

    /// The nearer source decides between a running server and a data directory: `--data` on the
    /// command line beats TIDEMARK_ADMIN in the environment.
    static func administration(
        _ resolution: Resolution, _ context: CommandContext
    ) throws -> any DatabaseAdministration {
        let (data, admin) = (resolution.sources["data"], resolution.sources["admin"])
        if data == .commandLine, admin == .commandLine {
            throw CommandFailure(.usage, "--data and --admin exclude each other")
        }
        if let url = resolution.settings.adminURL, data != .commandLine {
            return RemoteAdministration(url)
        }
        return try context.openDataDirectory(resolution.settings.dataDirectory)
    }

    private static func isDeletionConfirmed(
        _ name: DatabaseName, _ console: Console
    ) throws(CommandFailure) -> Bool {
        guard console.isInputTerminal else {
            throw CommandFailure(
                .usage, "deleting '\(name.text)' cannot be undone; say --yes to do it")
        }
        console.writeError("Delete '\(name.text)' and all its history? [y/N] ")
        return ["y", "yes"].contains(console.readAnswer()?.lowercased())
    }

    private static func requireRegularFile(_ path: String) throws(CommandFailure) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw CommandFailure(.noInput, "\(path): \(unsafe String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CommandFailure(.dataError, "\(path) is not a regular file")
        }
    }
}
