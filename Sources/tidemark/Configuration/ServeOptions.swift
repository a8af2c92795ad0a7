internal import CommandLineOptions
internal import Logging

/// The options of `tidemark serve`.
enum ServeOptions {
    static let table = OptionTable(
        defaults: defaults, options: places + limits + frameSync + times,
        configurationOption: "config")

    private typealias Option = OptionDefinition<ServeConfiguration>
    private static let defaults = ServeConfiguration()

    private static let places: [Option] = [
        .optional(
            "config", "FILE", \.configurationFile, of: defaults,
            "Read options from this YAML file; its keys are the names of the options"
        ).scoped(.environment),
        .value(
            "data", "DIR", \.dataDirectory, of: defaults,
            "Directory of the databases; made if it does not exist"),
        .value(
            "listen", "HOST:PORT", \.listen, of: defaults,
            "Address that sync clients connect to; port 0 takes a free one"),
        .optional(
            "admin-listen", "HOST:PORT", \.adminListen, of: defaults, none: "none",
            "Address of the admin API; `none` turns it off"),
        .list(
            "base-domain", "NAME", \.baseDomains, of: defaults,
            "Domain under which the first label of a host name chooses the database; "
                + "may be repeated"),
        .flag(
            "insecure-no-auth", \.isInsecureWithoutAuthentication,
            "Listen on addresses that other machines can reach, though nobody is asked for a token"),
        .value(
            "log-level", "LEVEL", \.logLevel, of: defaults,
            "Least important lines to log: debug, info, warning or error"),
    ]

    private static let limits: [Option] = [
        .value(
            "threads", "COUNT", \.threads, of: defaults, in: 1...256,
            shownDefault: "number of cores, at most 4", "Event loops, which serve the connections"),
        .value(
            "workers", "COUNT", \.workers, of: defaults, in: 1...1024,
            "Threads that run SQL and wait for the disk"),
        .value(
            "max-open-databases", "COUNT", \.maxOpenDatabases, of: defaults, in: 1...100_000,
            "Databases kept open; beyond it the one unused the longest is closed"),
        .value(
            "max-connections", "COUNT", \.maxConnections, of: defaults, in: 1...1_000_000,
            "Connections at a time, on each listener"),
        .value(
            "max-body-size", "SIZE", \.maxBodySize, of: defaults,
            in: .bytes(1024)...(.gibibytes(64)),
            "Largest body of a request, except for imports; units are KiB, MiB and GiB"),
        .value(
            "truncate-page-n", "PAGES", \.truncatePageN, of: defaults, in: 0...1_000_000_000,
            "Pages in the file of a write-ahead log at which it is emptied; 0 means never"),
        .value(
            "min-checkpoint-page-count", "PAGES", \.minCheckpointPageCount, of: defaults,
            in: 1...10_000_000, "Pages in a write-ahead log at which it is checkpointed"),
        .value(
            "history-quota", "SIZE", \.historyQuota, of: defaults,
            in: .bytes(0)...(.gibibytes(65_536)),
            "Old pages kept for the partial replicas of a database, or twice its size if that is "
                + "more"),
        .value(
            "page-cache-size", "SIZE", \.pageCacheSize, of: defaults,
            in: .bytes(0)...(.gibibytes(65_536)),
            "Disk for encoded pages of all databases, to be sent again; 0 keeps none"),
        .value(
            "compression-level", "LEVEL", \.compressionLevel, of: defaults, in: 1...19,
            "How hard answers are compressed for clients that ask for it; gzip has 9 levels"),
        .value(
            "bootstrap-query-max-pages", "PAGES", \.bootstrapQueryMaxPages, of: defaults,
            in: 1...1_000_000,
            "Pages that a bootstrap by query sends at most; the replica fetches others on demand"),
    ]

    private static let frameSync: [Option] = [
        .value(
            "checkpoint-needed-pages", "PAGES", \.checkpointNeededPages, of: defaults,
            in: 0...121_359,
            "Frames of a generation at which a client that pushes is told, once, that it should "
                + "end; 0 means never"),
        .value(
            "generation-roll-pages", "PAGES", \.generationRollPages, of: defaults,
            in: 0...1_000_000_000,
            "Frames of a generation at which it ends when nobody pushes; 0 means never"),
        .value(
            "frame-answer-pages", "PAGES", \.frameAnswerPages, of: defaults, in: 1...1_000_000,
            "Frames that one answer has, up to the end of a transaction"),
        .value(
            "frame-staging-size", "SIZE", \.frameStagingSize, of: defaults,
            in: .bytes(1 << 20)...(.gibibytes(64)),
            "Memory for pushed transactions that are not complete, which also bounds one "
                + "transaction"),
    ]

    private static let times: [Option] = [
        .value(
            "checkpoint-interval", "TIME", \.checkpointInterval, of: defaults,
            in: .zero...(.seconds(86_400)),
            "Time after which what was written is checkpointed; 0s means never"),
        .value(
            "max-snapshot-age", "TIME", \.maxSnapshotAge, of: defaults,
            in: .zero...(.seconds(86_400)),
            "Time for which a query may hold up a checkpoint; 0s means no limit"),
        .value(
            "pin-retention", "TIME", \.pinRetention, of: defaults,
            in: .seconds(60)...(.seconds(3650 * 86_400)),
            "Time after its last use for which a partial replica's history is kept"),
        .value(
            "long-poll-max", "TIME", \.longPollMax, of: defaults, in: .zero...(.seconds(3600)),
            "Longest wait that a pull may ask for; units are ms, s, m, h and d"),
        .value(
            "statement-timeout", "TIME", \.statementTimeout, of: defaults,
            in: .zero...(.seconds(86_400)), "Longest run of one SQL statement; 0s means no limit"),
        .value(
            "stream-idle-timeout", "TIME", \.streamIdleTimeout, of: defaults,
            in: .milliseconds(10)...(.seconds(3600)),
            "Time between two requests of a SQL stream after which it ends and rolls back"),
        .value(
            "transaction-timeout", "TIME", \.transactionTimeout, of: defaults,
            in: .milliseconds(10)...(.seconds(86_400)),
            "Longest life of a transaction that goes on over several requests"),
        .value(
            "bootstrap-query-timeout", "TIME", \.bootstrapQueryTimeout, of: defaults,
            in: .milliseconds(1)...(.seconds(3600)),
            "Longest run of a bootstrap's query; the pages found by then are sent"),
        .value(
            "generation-quiet-time", "TIME", \.generationQuietTime, of: defaults,
            in: .zero...(.seconds(86_400)),
            "Time since the last push of frames, or the start, before a generation may end"),
        .value(
            "shutdown-grace", "TIME", \.shutdownGrace, of: defaults,
            in: .zero...(.seconds(3600)), "Time that running requests get to finish on SIGTERM"),
        .value(
            "idle-timeout", "TIME", \.idleTimeout, of: defaults,
            in: .seconds(1)...(.seconds(86_400)),
            "Time after which a connection without a request is closed"),
    ]
}
