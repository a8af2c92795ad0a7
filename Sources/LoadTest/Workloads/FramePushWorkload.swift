internal import HTTP
internal import SQLite
internal import Synchronization

/// Clients that commit to their copies and push the frames.
final class FramePushWorkload: Workload {
    let kinds = ["frame-push"]
    private let settings: BenchSettings
    private let ledgers = Mutex<[PushLedger]>([])
    private let replicas = Mutex<[Int: FrameReplicaHandOver]>([:])

    init(_ settings: BenchSettings) { self.settings = settings }

    func prepare(_ databases: [BenchDatabase]) throws(BenchError) {
        let shape = settings.tableShape
        for database in databases {
            try BenchTable.prepare(database, rows: shape.rows, rowSize: shape.rowSize)
        }
    }

    func beginRun(_ databases: [BenchDatabase], number: Int) throws(BenchError) {
        var ledgers: [PushLedger] = []
        var replicas: [Int: FrameReplicaHandOver] = [:]
        for database in databases {
            ledgers.append(try PushLedger.make(in: database))
            replicas[database.number] = FrameReplicaHandOver(
                try FrameReplica(
                    database, path: "\(database.scratchDirectory)/\(number)-\(database.number).db"))
        }
        self.ledgers.withLock { $0 = ledgers }
        self.replicas.withLock { $0 = replicas }
    }

    func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        let replica = replicas.withLock { $0.removeValue(forKey: database.number) }
        guard let replica else { preconditionFailure("one client for each database") }
        return FramePushSession(
            target: database.target, client: client, settings: settings, replica: replica.replica,
            ledger: ledgers.withLock { $0[database.number] })
    }

    func extras(_ run: RunSummary) -> [RunSummary.Extra] {
        [.init(name: "rows per second", value: run.rate * Double(settings.batch))]
    }

    func verify(_ databases: [BenchDatabase]) throws(BenchError) -> [String] {
        var count = 0
        for (database, ledger) in zip(databases, ledgers.withLock { $0 }) {
            count += try ledger.verify(in: database)
        }
        return ["all \(count) acknowledged rows are there"]
    }
}

/// `@unchecked Sendable`: made on one thread, taken over by one other, and then only used there.
private final class FrameReplicaHandOver: @unchecked Sendable {
    let replica: FrameReplica
    init(_ replica: FrameReplica) { self.replica = replica }
}

final class FramePushSession: ClientSession {
    private let target: TargetURL
    private let rows: Int
    private let rowSize: Int
    private let replica: FrameReplica
    private let ledger: PushLedger
    private var nextID: Int
    /// Rows of the commit that is being pushed; nil between commits.
    private var commit: Range<Int>?
    /// A push of it failed, so the server may have it or not.
    private var isUnsure = false
    private var refusalCount = 0
    private var baton: String?
    private var sent = 0..<0
    private var answer: [UInt8] = []
    private var commitFailure: String?

    init(
        target: TargetURL, client: Int, settings: BenchSettings, replica: FrameReplica,
        ledger: PushLedger
    ) {
        self.target = target
        rows = settings.batch
        rowSize = settings.rowSize.bytes
        self.replica = replica
        self.ledger = ledger
        nextID = ledger.firstID(of: client)
    }

    func nextRequest() -> [UInt8] {
        answer = []
        // After a failure the same frames are sent again: the server compares them.
        if commit == nil { makeCommit() }
        let (range, bytes) = replica.nextFrames()
        sent = range
        let path = "/sync/\(replica.generation)/\(range.lowerBound)/\(range.upperBound)"
        return RequestBytes.make(
            "POST", target, path + (baton.map { "/\($0)" } ?? ""), body: bytes)
    }

    private func makeCommit() {
        do throws(SQLiteError) {
            try replica.commit(firstID: nextID, rows: rows, rowSize: rowSize)
            commit = nextID..<nextID + rows
        } catch {
            commitFailure = "the local commit failed: \(error.message)"
        }
        nextID += rows
    }

    func receive(_ body: Span<UInt8>) {
        for index in 0..<min(body.count, max(0, 4096 - answer.count)) { answer.append(body[index]) }
    }

    func finish(_ head: HTTPResponseHead) -> SessionVerdict {
        if let commitFailure { return .failed(commitFailure) }
        guard let answer = FrameAnswer(answer), let status = answer.status else {
            return .failed("the push of frames is answered without status")
        }
        switch status {
        // Said once, and taken as if the batch had not come.
        case "checkpoint_needed" where refusalCount == 0:
            refusalCount += 1
            return .continues
        case "ok": break
        default: return .failed(status)
        }
        guard let last = answer.lastFrame, last == sent.upperBound - 1 else {
            return .failed("the server has not taken all frames")
        }
        refusalCount = 0
        baton = answer.baton
        replica.taken(sent.count)
        guard !replica.hasFramesToPush else { return .continues }
        baton = nil
        if !isUnsure { ledger.acknowledge(commit?.count ?? 0) }
        commit = nil
        isUnsure = false
        return .completed(kind: 0)
    }

    func fail() {
        baton = nil
        refusalCount = 0
        if let commit, !isUnsure { ledger.leaveOpen(commit) }
        isUnsure = true
    }
}
