internal import Synchronization

/// Replicas that push new rows, a batch at a time.
package final class PushWorkload: Workload {
    package let kinds = ["push"]
    private let batch: Int
    private let rowSize: Int
    private let looksUpFirst: Bool
    private let table: (rows: Int, rowSize: Int)
    private let convergence: ConvergenceCheck?
    private let ledgers = Mutex<[PushLedger]>([])

    package init(_ settings: BenchSettings) {
        batch = settings.batch
        rowSize = settings.rowSize.bytes
        looksUpFirst = settings.looksUpFirst
        convergence = settings.verify ? ConvergenceCheck() : nil
        table = settings.tableShape
    }

    package func prepare(_ databases: [BenchDatabase]) throws(BenchError) {
        for database in databases {
            try BenchTable.prepare(database, rows: table.rows, rowSize: table.rowSize)
        }
    }

    package func beginRun(_ databases: [BenchDatabase], number: Int) throws(BenchError) {
        var new: [PushLedger] = []
        for database in databases { new.append(try PushLedger.make(in: database)) }
        ledgers.withLock { $0 = new }
        try convergence?.begin(databases)
    }

    package func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        PushSession(
            target: database.target, client: client, rows: batch, rowSize: rowSize,
            looksUpFirst: looksUpFirst, ledger: ledgers.withLock { $0[database.number] })
    }

    package func verify(_ databases: [BenchDatabase]) throws(BenchError) -> [String] {
        let ledgers = ledgers.withLock { $0 }
        var count = 0
        for (database, ledger) in zip(databases, ledgers) {
            count += try ledger.verify(in: database)
        }
        return ["all \(count) acknowledged rows are there"]
            + (try convergence?.end(databases, ledgers) ?? [])
    }

    package func extras(_ run: RunSummary) -> [RunSummary.Extra] {
        [.init(name: "rows per second", value: run.rate * Double(batch))]
    }
}

extension PushLedger {
    /// One whose ids nobody has used.
    static func make(in database: BenchDatabase) throws(BenchError) -> PushLedger {
        for _ in 0..<20 {
            let ledger = PushLedger(run: Int.random(in: runNumbers))
            if try database.number(count(ledger.ids)) == 0 { return ledger }
        }
        throw .server("\(database.target.optionText): no free ids; use a new database")
    }

    /// Every acknowledged row must be there. Returns how many there are.
    func verify(in database: BenchDatabase) throws(BenchError) -> Int {
        var found = try database.number(Self.count(ids))
        for range in unsure { found -= try database.number(Self.count(range)) }
        guard found == acknowledgedCount else {
            throw .wrongData(
                "\(database.target.optionText): \(acknowledgedCount) rows were acknowledged, "
                    + "\(found) are there")
        }
        return found
    }

    private static func count(_ ids: Range<Int>) -> String {
        "SELECT count(*) FROM \(BenchTable.name) "
            + "WHERE id >= \(ids.lowerBound) AND id < \(ids.upperBound)"
    }
}
