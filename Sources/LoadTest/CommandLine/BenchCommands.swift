internal import CommandLineOptions

/// The workloads that there are.
enum BenchCommands {
    typealias Option = BenchOptions.Option

    static let all: [BenchCommand] = [
        bootstrap, noChange, incremental, longPoll, push, mixed, partial, frames, sql, connect,
        http,
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
            batch,
            .flag(
                "look-up", \.looksUpFirst,
                "Ask for the server's position before each push, as clients do"),
        ]
    ) { PushWorkload($0) }

    private static let sql = BenchCommand(
        name: "sql", summary: "Run SQL over HTTP",
        details: "Each client sends one statement to POST /v2/pipeline, again and again.",
        options: BenchOptions.data(defaults) + [statement]
    ) { SQLWorkload($0) }

    private static let batch = Option.value(
        "batch", "COUNT", \.batch, of: defaults, in: 1...100_000, "Rows of one push")

    private static let statement = Option.optional(
        "statement", "SQL", \.statement, of: defaults, none: SQLWorkload.standardStatement,
        "The statement; {id} stands for the id of a random row")

    private static let longPoll = BenchCommand(
        name: "long-poll", summary: "Wake waiting clients with a commit",
        details: """
            All --clients wait for a change; then one more client pushes a row. A wake-up's latency
            counts from the acknowledgement of the push to the complete answer; clients that are
            woken before the acknowledgement count as 0. When all are awake they wait again, and the
            next push follows. Over several --databases, pushes take turns.
            """,
        options: BenchOptions.data(longPollDefaults) + [
            .value(
                "commit-interval", "TIME", \.commitInterval, of: longPollDefaults,
                "Time from the last wake-up to the next push, at least 20ms and 0.2ms for each client"
            )
        ],
        defaults: longPollDefaults
    ) { (settings) throws(BenchError) in try LongPollWorkload(settings) }

    private static let longPollDefaults: BenchSettings = {
        var settings = BenchSettings()
        settings.clients = 1000
        return settings
    }()

    private static let mixed = BenchCommand(
        name: "mixed", summary: "Push, pull, bootstrap and run SQL",
        details: """
            Each client draws what it does next by --mix. A pull asks for what is new since the
            client's last one. With --verify every acknowledged row must be there at the end, and a
            replica that pulled must have the same pages as a new one.
            """,
        options: BenchOptions.data(defaults) + [
            .value("mix", "SHARES", \.mix, of: defaults, "Shares of the operations"), batch,
            statement,
        ]
    ) { MixedWorkload($0) }

    private static let partial = BenchCommand(
        name: "partial", summary: "Bootstrap partial replicas and read what they miss",
        details: """
            Each client bootstraps the first pages of the database, and then reads segments at
            random places as of that revision. After --lazy-reads it begins anew, as another
            replica; servers keep history for each.
            """,
        options: BenchOptions.data(defaults) + [
            .value(
                "prefix-pages", "COUNT", \.prefixPages, of: defaults, in: 1...1_000_000,
                "Pages of the bootstrap"),
            .value(
                "segment-pages", "COUNT", \.segmentPages, of: defaults, in: 1...65_536,
                "Pages of a read"),
            .value(
                "lazy-reads", "COUNT", \.lazyReads, of: defaults, in: 0...1_000_000_000,
                "Reads of each replica"),
            fields,
        ]
    ) { PartialWorkload($0) }

    private static let frames = BenchCommand(
        name: "frames", summary: "Push or pull WAL frames, as libsql clients do",
        details: """
            pull: each client asks for the frames of the last --behind commits. push: each client
            commits rows to a copy of its database and pushes the frames (at most 128 in a
            request); clients of one database would only have conflicts, so each has its own.
            """,
        options: BenchOptions.data(defaults) + [
            .value("direction", "WORD", \.direction, of: defaults, "push or pull"), batch,
            .value(
                "behind", "COUNT", \.behind, of: defaults, in: 1...1_000_000,
                "Commits of a pull"),
        ]
    ) { (settings) throws(BenchError) in try FramesWorkload.make(settings) }

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
