internal import Synchronization
internal import WireProtocol

/// Pulls whose answer is the same each time: of everything, of nothing, or of the last commits.
package final class PullWorkload: Workload {
    package enum Kind: Sendable, Equatable {
        case bootstrap
        case noChange
        /// So many commits behind, each of which changed so many rows.
        case incremental(commits: Int, rows: Int)

        var name: String {
            switch self {
            case .bootstrap: "bootstrap"
            case .noChange: "no-change"
            case .incremental: "incremental"
            }
        }
    }

    package let kinds: [String]
    private let kind: Kind
    private let table: (rows: Int, rowSize: Int)
    private let fields: [String]
    private let checksPages: Bool
    /// What clients name as theirs, for each database.
    private let revisions = Mutex<[String]>([])
    private let sums = PageSums()

    package init(_ kind: Kind, _ settings: BenchSettings) {
        self.kind = kind
        kinds = [kind.name]
        table = settings.tableShape
        fields = settings.fields
        checksPages = settings.verify
    }

    package func prepare(_ databases: [BenchDatabase]) throws(BenchError) {
        for database in databases {
            // An imported database is taken as it is.
            if table.rows > 0 {
                try BenchTable.prepare(database, rows: table.rows, rowSize: table.rowSize)
            }
            guard kind != .bootstrap else { continue }
            let revision = try database.head().revision
            revisions.withLock { $0.append(revision) }
            if case .incremental(let commits, let rows) = kind {
                try change(database, commits: commits, rows: rows)
            }
        }
    }

    /// Commits that spread their rows over the whole table.
    private func change(
        _ database: BenchDatabase, commits: Int, rows: Int
    ) throws(BenchError) {
        let step = max(1, table.rows / max(1, commits * rows))
        let updates = (0..<commits).lazy.map { [table] commit in
            let ids = (0..<rows).map { "\((commit * rows + $0) * step % max(1, table.rows) + 1)" }
            return "UPDATE \(BenchTable.name) SET v = hex(randomblob(length(v) / 2)) "
                + "WHERE id IN (\(ids.joined(separator: ",")))"
        }
        // Each statement is a commit; a request takes several.
        let inRequest = max(1, min(100, 10_000 / rows))
        for start in stride(from: 0, to: commits, by: inRequest) {
            try database.sql(Array(updates[start..<min(start + inRequest, commits)]))
        }
    }

    package func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        var request = PullRequest()
        if kind != .bootstrap {
            request.clientRevision = revisions.withLock { $0[database.number] }
        }
        let bytes = RequestBytes.pull(database.target, request.encoded(), fields: fields)
        guard checksPages else { return ConstantSession(request: bytes) }
        return CheckedPullSession(
            request: bytes, database: database.number, isWhole: kind == .bootstrap, sums: sums)
    }

    package func verify(_ databases: [BenchDatabase]) throws(BenchError) -> [String] {
        var findings: [String] = []
        if kind == .bootstrap {
            for database in databases { try sums.checkAgain(database) }
            findings.append("a further pull of everything has the same pages")
        }
        return findings + [
            "all \(sums.count) answers were well-formed and the same for a revision"
        ]
    }
}
