internal import CommandLineOptions
internal import SQLite

/// The options of `tidemark db`; each command takes those that it needs.
struct DatabaseOptions: Equatable, Sendable {
    var dataDirectory = "./data"
    var adminURL: AdminURL?
    var isQuiet = false
    var printsJSON = false
    var isConfirmed = false
    var overwrites = false
    var checkpointMode = CheckpointMode.passive

    private typealias Option = OptionDefinition<DatabaseOptions>
    private static let defaults = DatabaseOptions()

    /// Where the databases are; every command takes these two.
    private static let places: [Option] = [
        .value(
            "data", "DIR", \.dataDirectory, of: defaults,
            "Data directory of a server that does not run"
        ).scoped(.environment),
        .optional(
            "admin", "URL", \.adminURL, of: defaults,
            "Admin listener of a running server, such as http://127.0.0.1:8081"
        ).scoped(.environment),
    ]

    private static func table(_ own: [Option]) -> OptionTable<DatabaseOptions> {
        OptionTable(defaults: defaults, options: places + own)
    }

    private static let quiet: Option = .flag("quiet", \.isQuiet, "Show no progress")
        .scoped(.commandLine, short: "q")

    static let create = table([])
    static let list = table([
        .flag("json", \.printsJSON, "Print a JSON array").scoped(.commandLine)
    ])
    static let stats = table([
        .flag("json", \.printsJSON, "Print a JSON object").scoped(.commandLine)
    ])
    static let importFile = table([quiet])
    static let exportFile = table([
        quiet,
        .flag("force", \.overwrites, "Replace FILE if it exists").scoped(.commandLine),
    ])
    static let checkpoint = table([
        .value(
            "mode", "MODE", \.checkpointMode, of: defaults,
            "How hard to push: passive, full, restart or truncate"
        ).scoped(.commandLine)
    ])
    static let delete = table([
        .flag("yes", \.isConfirmed, "Delete without asking").scoped(.commandLine, short: "y")
    ])
}
