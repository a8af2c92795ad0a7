internal import CommandLineOptions

/// The workloads that there are.
enum BenchCommands {
    typealias Option = BenchOptions.Option

    static let all: [BenchCommand] = [
        bootstrap, noChange, incremental, push, sql, connect, http,
    ]

    private static let defaults = BenchOptions.defaults

    private static let fields = Option.list(
        "field", "TEXT", \.fields, of: defaults,
        "Further header field of each request, such as 'Accept-Encoding: zstd'")

    private static let bootstrap = BenchCommand(
        name: "bootstrap", summary: "Pull whole databases",
        details: """
            Each client asks for all pages (POST /pull-updates with an empty body), again and again.
            With --verify every page is decoded, answers at one revision must be the same, and one
            more pull at the end must match.
            """,
        options: BenchOptions.data(defaults) + [fields]
    ) { PullWorkload(.bootstrap, $0) }

    private static let noChange = BenchCommand(
        name: "no-change", summary: "Pull when there is nothing new",
        details: "Each client names the newest revision; the answer is a header without pages.",
        options: BenchOptions.data(defaults) + [fields]
    ) { PullWorkload(.noChange, $0) }

    private static let incremental = BenchCommand(
        name: "incremental", summary: "Pull the pages of the last commits",
        details: """
            Each client names a revision that is --behind commits old. The commits are made
            beforehand and change rows all over the table.
            """,
        options: BenchOptions.data(defaults) + [
            .value(
                "behind", "COUNT", \.behind, of: defaults, in: 1...10_000_000,
                "Commits that the clients are behind"),
            .value(
                "commit-rows", "COUNT", \.commitRows, of: defaults, in: 1...10_000,
                "Rows that each commit changes"),
            fields,
        ]
    ) { PullWorkload(.incremental(commits: $0.behind, rows: $0.commitRows), $0) }

    private static let push = BenchCommand(
        name: "push", summary: "Push new rows",
        details: """
            Each client sends batches as the Turso clients do: a transaction of upserts with the
            client's position, to POST /v2/pipeline. With --verify every acknowledged row must be
            there at the end.
            """,
        options: BenchOptions.data(defaults) + [
            .value(
                "batch", "COUNT", \.batch, of: defaults, in: 1...1_000_000, "Rows of one push"),
            .flag(
                "look-up", \.looksUpFirst,
                "Ask for the server's position before each push, as clients do"),
        ]
    ) { PushWorkload($0) }

    private static let sql = BenchCommand(
        name: "sql", summary: "Run SQL over HTTP",
        details: "Each client sends one statement to POST /v2/pipeline, again and again.",
        options: BenchOptions.data(defaults) + [
            .optional(
                "statement", "SQL", \.statement, of: defaults, none: SQLWorkload.standardStatement,
                "The statement; {id} stands for the id of a random row")
        ]
    ) { SQLWorkload($0) }

    private static let path = Option.value(
        "path", "PATH", \.path, of: defaults, "What is asked for, behind the URL's own path")

    private static let connect = BenchCommand(
        name: "connect", summary: "Connect, ask and hang up",
        details: "Each operation is a new connection with one small GET request.",
        options: [path, fields]
    ) { HTTPWorkload(path: $0.path, fields: $0.fields, reconnects: true) }

    private static let http = BenchCommand(
        name: "http", summary: "GET one URL of any web server",
        details: """
            What the same client reaches with another server, to compare with: --url is the whole
            URL, and --path is added to it.
            """,
        options: [
            .value("path", "PATH", \.path, of: httpDefaults, "Added to the URL"), fields,
        ],
        defaults: httpDefaults
    ) { HTTPWorkload(path: $0.path, fields: $0.fields) }

    private static let httpDefaults: BenchSettings = {
        var settings = BenchSettings()
        settings.path = ""
        return settings
    }()
}
