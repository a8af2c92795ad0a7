internal import CommandLineOptions

/// The options, each in one place; workloads take those that mean something to them.
enum BenchOptions {
    typealias Option = OptionDefinition<BenchSettings>

    static let defaults = BenchSettings()

    static func table(_ own: [Option], _ defaults: BenchSettings) -> OptionTable<BenchSettings> {
        OptionTable(
            defaults: defaults,
            options: (target(defaults) + pace(defaults) + own + output(defaults)).map {
                $0.scoped(.commandLine, short: $0.name == "quiet" ? "q" : nil)
            })
    }

    private static func target(_ defaults: BenchSettings) -> [Option] {
        [
            .optional(
                "url", "URL", \.url, of: defaults,
                "Base URL of the database, as http://host:port/db/NAME; {n} stands for the "
                    + "number of a database"),
            .optional(
                "start-server", "PATH", \.serverExecutable, of: defaults,
                "Start this tidemark on free ports and an empty data directory, and end it"),
            .optional(
                "server-flags", "TEXT", \.serverFlags, of: defaults,
                "Further arguments of the started server, as in "
                    + "--server-flags='--workers 4 --threads 1'"),
            .optional(
                "admin-url", "URL", \.adminURL, of: defaults,
                "Admin listener of a running server, to make its databases"),
            .list(
                "server-pid", "PID", \.serverProcesses, of: defaults,
                "Processes of a running server on this machine, whose processor time is shown"),
            .value(
                "databases", "COUNT", \.databases, of: defaults, in: 1...100_000,
                "Databases that the clients are spread over"),
        ]
    }

    private static func pace(_ defaults: BenchSettings) -> [Option] {
        [
            .value(
                "clients", "COUNT", \.clients, of: defaults, in: 1...100_000,
                "Clients, each with a connection and one request at a time"),
            .value(
                "rate", "COUNT", \.rate, of: defaults, in: 0...1_000_000,
                "Open loop: begin so many operations a second, and count latencies from when they "
                    + "were due; 0 is a closed loop"),
            .value(
                "threads", "COUNT", \.threads, of: defaults, in: 1...64,
                "Threads of the load generator"),
            .value("duration", "TIME", \.duration, of: defaults, "Time that is measured"),
            .value(
                "count", "COUNT", \.count, of: defaults, in: 0...1_000_000_000,
                "Measure so many operations, however long it takes; 0 goes by the duration"),
            .value("warm-up", "TIME", \.warmUp, of: defaults, "Time before that"),
            .value(
                "runs", "COUNT", \.runs, of: defaults, in: 1...1000,
                "Repeat the measurement, for an estimate of the noise"),
            .value("timeout", "TIME", \.timeout, of: defaults, "Longest time of one operation"),
            .flag("verify", \.verify, "Check answers, and at the end the server's data"),
        ]
    }

    private static func output(_ defaults: BenchSettings) -> [Option] {
        [
            .optional("json", "FILE", \.json, of: defaults, "Write the result to this file"),
            .optional(
                "html", "FILE", \.html, of: defaults, "Write a report with plots to this file"),
            .optional("label", "TEXT", \.label, of: defaults, "A name for the result"),
            .flag("quiet", \.isQuiet, "Show no progress"),
        ]
    }

    static func data(_ defaults: BenchSettings) -> [Option] {
        [
            .value(
                "rows", "COUNT", \.rows, of: defaults, in: 0...1_000_000_000,
                "Rows of the table that is made"),
            .value("row-size", "SIZE", \.rowSize, of: defaults, "Size of a row"),
            .optional(
                "size", "SIZE", \.size, of: defaults,
                "Size of the database, with a row a page, instead of the two above"),
            .optional("pages", "COUNT", \.pages, of: defaults, "The same in pages of 4096 bytes"),
            .optional(
                "import", "FILE", \.importFile, of: defaults,
                "Import this SQLite file instead (admin API)"),
        ]
    }
}
