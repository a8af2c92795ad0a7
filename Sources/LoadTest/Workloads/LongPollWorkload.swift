internal import Synchronization

/// Replicas that wait for a commit, and one that commits.
package final class LongPollWorkload: Workload {
    static let wakeUpKind = 0
    static let commitKind = 1

    package let kinds = ["wake-up", "commit"]
    private let settings: BenchSettings
    private let ledgers = Mutex<[PushLedger]>([])
    private let heads = Mutex<[String]>([])

    package init(_ settings: BenchSettings) throws(BenchError) {
        guard settings.threads == 1 else {
            throw .usage("long-poll has one thread: it compares times of all its clients")
        }
        self.settings = settings
    }

    package func prepare(_ databases: [BenchDatabase]) throws(BenchError) {
        let shape = settings.tableShape
        for database in databases {
            try BenchTable.prepare(database, rows: shape.rows, rowSize: shape.rowSize)
        }
    }

    package func beginRun(_ databases: [BenchDatabase], number: Int) throws(BenchError) {
        var (new, revisions): ([PushLedger], [String]) = ([], [])
        for database in databases {
            new.append(try PushLedger.make(in: database))
            revisions.append(try database.head().revision)
        }
        ledgers.withLock { $0 = new }
        heads.withLock { $0 = revisions }
    }

    package func makeDriver(_ context: DriverContext) -> any RunDriver {
        LongPollDriver(context, workload: self, interval: settings.commitInterval)
    }

    /// The writer of a database.
    package func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        PushSession(
            target: database.target, client: client, rows: settings.batch,
            rowSize: settings.rowSize.bytes, looksUpFirst: false,
            ledger: ledgers.withLock { $0[database.number] })
    }

    func revision(of database: BenchDatabase) -> String {
        heads.withLock { $0[database.number] }
    }

    package func verify(_ databases: [BenchDatabase]) throws(BenchError) -> [String] {
        var count = 0
        for (database, ledger) in zip(databases, ledgers.withLock { $0 }) {
            count += try ledger.verify(in: database)
        }
        return ["all \(count) acknowledged rows are there"]
    }
}
