internal import HTTP
internal import WireProtocol

/// Partial replicas: each bootstraps a prefix of the database and then reads segments that it
/// misses, until it is replaced by a new one.
package final class PartialWorkload: Workload {
    package let kinds = ["bootstrap", "lazy-read"]
    private let settings: BenchSettings
    private let sums = PageSums()

    package init(_ settings: BenchSettings) { self.settings = settings }

    package func prepare(_ databases: [BenchDatabase]) throws(BenchError) {
        let shape = settings.tableShape
        guard shape.rows > 0 else { return }
        for database in databases {
            try BenchTable.prepare(database, rows: shape.rows, rowSize: shape.rowSize)
        }
    }

    package func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        PartialSession(
            database: database, settings: settings, seed: UInt64(client),
            sums: settings.verify ? sums : nil)
    }

    package func verify(_ databases: [BenchDatabase]) throws(BenchError) -> [String] {
        ["all \(sums.count) answers had the pages that were asked for, always the same"]
    }
}

final class PartialSession: ClientSession {
    private static let bootstrapKind = 0
    private static let readKind = 1

    private let database: BenchDatabase
    private let bootstrap: [UInt8]
    private let prefixPages: Int
    private let segmentPages: Int
    private let readsEach: Int
    private let fields: [String]
    private let sums: PageSums?
    private var generator: SplitMix
    private var header = PullHeaderReader()
    private var check = PullCheck(isWhole: false)
    /// Of the replica; nil before its bootstrap.
    private var base: PullResponseHeader?
    private var readCount = 0
    private var asked = 0..<0

    init(database: BenchDatabase, settings: BenchSettings, seed: UInt64, sums: PageSums?) {
        self.database = database
        prefixPages = settings.prefixPages
        segmentPages = settings.segmentPages
        readsEach = settings.lazyReads
        fields = settings.fields
        self.sums = sums
        generator = SplitMix(seed: seed)
        var request = PullRequest()
        request.selector = PageSelection.prefix(prefixPages)
        bootstrap = RequestBytes.pull(database.target, request.encoded(), fields: fields)
    }

    func nextRequest() -> [UInt8] {
        header.reset()
        check = PullCheck(isWhole: false)
        guard let base, readCount < readsEach else {
            base = nil
            asked = 0..<prefixPages
            return bootstrap
        }
        let segments = (base.databaseSize + UInt64(segmentPages) - 1) / UInt64(segmentPages)
        let first = Int(generator.next() % max(1, segments)) * segmentPages
        asked = first..<first + segmentPages
        var request = PullRequest()
        request.serverRevision = base.serverRevision
        request.selector = PageSelection.segment(asked)
        return RequestBytes.pull(database.target, request.encoded(), fields: fields)
    }

    func receive(_ body: Span<UInt8>) {
        if sums != nil { check.receive(body) }
        if base == nil { header.receive(body) }
    }

    func finish(_ head: HTTPResponseHead) -> SessionVerdict {
        if let text = checkAnswer() { return .failed(text) }
        guard base == nil else {
            readCount += 1
            return .completed(kind: Self.readKind)
        }
        guard let header = header.header else { return .failed("a pull answer without header") }
        base = header
        readCount = 0
        return .completed(kind: Self.bootstrapKind)
    }

    func fail() { base = nil }

    /// What is wrong with the answer.
    private func checkAnswer() -> String? {
        guard let sums else { return nil }
        let answer: PullCheck.Answer
        switch check.finish() {
        case .failure(let failure): return failure.text
        case .success(let success): answer = success
        }
        // Page 0 is left out of a segment: the replica has changed it.
        let size = Int(clamping: base?.databaseSize ?? header.header?.databaseSize ?? 0)
        let end = min(asked.upperBound, size)
        let isFirst = base != nil && asked.lowerBound == 0
        let expected = end - asked.lowerBound - (isFirst && end > 1 ? 1 : 0)
        guard answer.pages == expected || answer.pages == expected + (isFirst ? 1 : 0) else {
            return "\(answer.pages) pages instead of \(expected)"
        }
        // Nobody writes, so pages are the same for all replicas.
        let name = "\(asked)\(base == nil ? "" : " read")"
        return sums.note(answer.sum, .init(database: database.number, revision: name))
            ? nil : "different pages for the same segment"
    }
}
