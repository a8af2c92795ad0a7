internal import HTTP
internal import Synchronization
internal import WireProtocol

/// Replicas that push, pull what is new to them, run SQL and sometimes start over.
package final class MixedWorkload: Workload {
    package let kinds = OperationMix.Operation.allCases.map(\.rawValue)
    private let settings: BenchSettings
    private let ledgers = Mutex<[PushLedger]>([])
    private let heads = Mutex<[String]>([])
    private let convergence = ConvergenceCheck()

    package init(_ settings: BenchSettings) { self.settings = settings }

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
        if settings.verify { try convergence.begin(databases) }
    }

    package func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        let ledger = ledgers.withLock { $0[database.number] }
        return MixedSession(
            database: database, mix: settings.mix, seed: UInt64(client),
            revision: heads.withLock { $0[database.number] },
            push: PushSession(
                target: database.target, client: client, rows: settings.batch,
                rowSize: settings.rowSize.bytes, looksUpFirst: settings.looksUpFirst,
                ledger: ledger),
            sql: SQLSession(
                target: database.target,
                statement: settings.statement ?? SQLWorkload.standardStatement,
                rows: settings.tableShape.rows, seed: UInt64(client)))
    }

    package func verify(_ databases: [BenchDatabase]) throws(BenchError) -> [String] {
        var count = 0
        let ledgers = ledgers.withLock { $0 }
        for (database, ledger) in zip(databases, ledgers) {
            count += try ledger.verify(in: database)
        }
        return ["all \(count) acknowledged rows are there"]
            + (try convergence.end(databases, ledgers))
    }
}

final class MixedSession: ClientSession {
    private let database: BenchDatabase
    private let mix: OperationMix
    private let push: PushSession
    private let sql: SQLSession
    private let bootstrap: [UInt8]
    private var generator: SplitMix
    private var revision: String
    private var header = PullHeaderReader()
    /// The operation under way takes another request.
    private var isContinuing = false
    private var operation = OperationMix.Operation.pull

    init(
        database: BenchDatabase, mix: OperationMix, seed: UInt64, revision: String,
        push: PushSession, sql: SQLSession
    ) {
        self.database = database
        self.mix = mix
        self.revision = revision
        self.push = push
        self.sql = sql
        // Not the numbers that the other sessions draw.
        generator = SplitMix(seed: ~seed)
        bootstrap = RequestBytes.pull(database.target, [])
    }

    func nextRequest() -> [UInt8] {
        if !isContinuing { operation = mix.operation(for: generator.next() >> 1) }
        header.reset()
        switch operation {
        case .push: return push.nextRequest()
        case .sql: return sql.nextRequest()
        case .bootstrap: return bootstrap
        case .pull:
            var request = PullRequest()
            request.clientRevision = revision
            return RequestBytes.pull(database.target, request.encoded())
        }
    }

    func receive(_ body: Span<UInt8>) {
        switch operation {
        case .push: push.receive(body)
        case .sql: sql.receive(body)
        case .bootstrap, .pull: header.receive(body)
        }
    }

    func finish(_ head: HTTPResponseHead) -> SessionVerdict {
        let verdict: SessionVerdict
        switch operation {
        case .push: verdict = push.finish(head)
        case .sql: verdict = sql.finish(head)
        case .bootstrap, .pull:
            guard let header = header.header else { return .failed("a pull answer without header") }
            revision = header.serverRevision
            verdict = .completed(kind: 0)
        }
        isContinuing = verdict == .continues
        guard case .completed = verdict else { return verdict }
        return .completed(kind: OperationMix.Operation.allCases.firstIndex(of: operation) ?? 0)
    }

    func fail() {
        isContinuing = false
        if operation == .push { push.fail() }
    }
}
