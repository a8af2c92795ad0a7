internal import Primitives
internal import SQLite
internal import Synchronization
internal import WireProtocol

/// A replica in memory: what a client has after its pulls.
package struct ReplicaImage: Equatable, Sendable {
    package private(set) var revision = ""
    package private(set) var pages: [[UInt8]] = []

    /// Pulls what is new since the last time; everything the first time.
    mutating func pull(_ database: BenchDatabase) throws(BenchError) {
        var request = PullRequest()
        request.clientRevision = revision
        let reply = try database.control.send(
            RequestBytes.pull(database.target, request.encoded()), to: database.target)
        guard reply.status == 200 else {
            throw .server("\(database.target.optionText)/pull-updates answers \(reply.status)")
        }
        var decoder = PullResponseDecoder()
        do throws(PullResponseDecoder.DecodingError) {
            let messages = try decoder.decode(reply.body)
            try decoder.finish()
            apply(messages)
        } catch {
            throw .wrongData("\(database.target.optionText): malformed pull answer: \(error)")
        }
    }

    private mutating func apply(_ messages: [PullResponseDecoder.Message]) {
        for message in messages {
            switch message {
            case .header(let header):
                revision = header.serverRevision
                let size = Int(clamping: header.databaseSize)
                pages.removeLast(max(0, pages.count - size))
                while pages.count < size { pages.append([]) }
            case .page(let id, let bytes):
                if id.rawValue < pages.count { pages[Int(id.rawValue)] = bytes }
            }
        }
    }

    /// What SQLite finds wrong with it, and how many of these ids the table has.
    func check(ids: Range<Int>) throws(BenchError) -> (integrity: String, rows: Int) {
        do throws(SQLiteError) {
            let connection = try Connection.open(image: ImagePages(pages: pages))
            defer { connection.close() }
            let integrity = try connection.queryText("PRAGMA integrity_check(1)") ?? "nothing"
            let rows = try connection.queryInteger(
                "SELECT count(*) FROM \(BenchTable.name) WHERE id >= \(ids.lowerBound) "
                    + "AND id < \(ids.upperBound)")
            return (integrity, Int(rows ?? 0))
        } catch {
            throw .wrongData("the pulled database is damaged: \(error)")
        }
    }
}
