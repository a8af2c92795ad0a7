internal import Synchronization

/// Holds the server to its word that replicas converge: one that pulls at the beginning and at the
/// end of a run must end with the same pages as one that starts at the end, SQLite must find
/// nothing wrong with them, and they must hold what was acknowledged.
final class ConvergenceCheck: Sendable {
    /// Larger databases are not held in memory, in pages.
    private static let maximumSize = 131_072

    private let replicas = Mutex<[ReplicaImage?]>([])

    func begin(_ databases: [BenchDatabase]) throws(BenchError) {
        var images: [ReplicaImage?] = []
        for database in databases {
            guard try database.head().size <= Self.maximumSize else {
                images.append(nil)
                continue
            }
            var image = ReplicaImage()
            try image.pull(database)
            images.append(image)
        }
        replicas.withLock { $0 = images }
    }

    func end(
        _ databases: [BenchDatabase], _ ledgers: [PushLedger]
    ) throws(BenchError) -> [String] {
        var count = 0
        let replicas = replicas.withLock { $0 }
        for (index, database) in databases.enumerated() {
            guard var old = replicas[index] else { continue }
            try old.pull(database)
            try check(old, database, ledgers[index])
            count += 1
        }
        return count == 0 ? [] : ["replicas of \(count) databases converged, and hold every row"]
    }

    private func check(
        _ old: ReplicaImage, _ database: BenchDatabase, _ ledger: PushLedger
    ) throws(BenchError) {
        let name = database.target.optionText
        var new = ReplicaImage()
        try new.pull(database)
        guard new == old else {
            throw .wrongData("\(name): a replica that pulled differs from a new one")
        }
        let (integrity, rows) = try new.check(ids: ledger.ids)
        guard integrity == "ok" else { throw .wrongData("\(name): \(integrity)") }
        guard rows >= ledger.acknowledgedCount else {
            throw .wrongData(
                "\(name): a replica has \(rows) of \(ledger.acknowledgedCount) acknowledged rows")
        }
    }
}
