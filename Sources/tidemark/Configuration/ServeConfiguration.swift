internal import CommandLineOptions
internal import Glibc
internal import Logging

/// All that `tidemark serve` can be told, checked value by value. `ServeOptions` says what each
/// one is for; the values here are the defaults.
struct ServeConfiguration: Equatable, Sendable {
    var configurationFile: String?
    var dataDirectory = "./data"
    var listen = ListenAddress(host: "127.0.0.1", port: 8080)
    /// nil: no admin listener.
    var adminListen: ListenAddress? = ListenAddress(host: "127.0.0.1", port: 8081)
    var baseDomains = [DomainName(text: "localhost")]
    var isInsecureWithoutAuthentication = false
    var logLevel = LogLevel.info
    /// Event loops; 1...256.
    var threads = ServeConfiguration.defaultThreads
    /// Threads that may block on SQLite and the disk; 1...1024.
    var workers = 12
    var maxOpenDatabases = 256
    var maxConnections = 10_000
    var maxBodySize = ByteSize.mebibytes(256)
    var longPollMax = Duration.seconds(60)
    /// Zero: no limit.
    var statementTimeout = Duration.seconds(60)
    var streamIdleTimeout = Duration.seconds(10)
    var transactionTimeout = Duration.seconds(300)
    var bootstrapQueryTimeout = Duration.seconds(10)
    var bootstrapQueryMaxPages = 65_536
    var shutdownGrace = Duration.seconds(30)
    var idleTimeout = Duration.seconds(75)
    /// Zero: never.
    var truncatePageN = 121_359
    var minCheckpointPageCount = 1000
    /// Zero: never.
    var checkpointInterval = Duration.seconds(60)
    /// Zero: no limit.
    var maxSnapshotAge = Duration.seconds(30)
    var historyQuota = ByteSize.mebibytes(256)
    /// Zero: nothing is kept.
    var pageCacheSize = ByteSize.gibibytes(1)
    var compressionLevel = 3
    var pinRetention = Duration.seconds(30 * 86_400)

    /// Frames; zero: never.
    var checkpointNeededPages = 1000
    /// Frames; zero: never.
    var generationRollPages = 16_384
    var generationQuietTime = Duration.seconds(60)
    var frameAnswerPages = 4096
    var frameStagingSize = ByteSize.mebibytes(256)

    private static var defaultThreads: Int {
        min(max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1), 4)
    }
}
