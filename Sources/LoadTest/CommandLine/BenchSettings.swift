package import CommandLineOptions

/// What a load test was asked to do. Each workload's command has those options that mean
/// something to it.
package struct BenchSettings: Sendable {
    // Where.
    package var url: TargetURL?
    package var adminURL: TargetURL?
    package var serverExecutable: String?
    package var serverFlags: String?
    package var serverProcesses: [Int] = []
    package var databases = 1

    // How.
    package var clients = 16
    package var rate = 0
    package var threads = 1
    package var duration = Duration.seconds(10)
    package var count = 0
    package var warmUp = Duration.seconds(2)
    package var runs = 1
    package var timeout = Duration.seconds(60)
    package var verify = false

    // On what.
    package var rows = 10_000
    package var rowSize = ByteSize.bytes(100)
    package var size: ByteSize?
    package var pages: Int?
    package var importFile: String?

    // What comes of it.
    package var label: String?
    package var json: String?
    package var html: String?
    package var isQuiet = false

    // Of single workloads.
    package var batch = 1
    package var looksUpFirst = false
    package var behind = 10
    package var commitRows = 1
    package var waiters = 1000
    package var commitInterval = Duration.milliseconds(0)
    package var prefixPages = 32
    package var segmentPages = 32
    package var lazyReads = 16
    package var mix = OperationMix.standard
    package var statement: String?
    package var path = "/health"
    package var direction = FrameDirection.push
    package var fields: [String] = []

    package init() {}

    /// Rows and their size, so that the table is as large as asked for. A row of 3900 bytes has a
    /// page of 4096 for itself, and one more in about 340 leads to them.
    var tableShape: (rows: Int, rowSize: Int) {
        guard importFile == nil else { return (0, rowSize.bytes) }
        guard let pages = pages ?? size.map({ $0.bytes / 4096 }) else {
            return (rows, rowSize.bytes)
        }
        return (max(1, pages - 3 - pages / 340), 3900)
    }
}
