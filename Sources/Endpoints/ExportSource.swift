internal import HTTP
internal import Primitives
internal import Storage

/// The file of a database at one commit, as an ordinary SQLite file.
final class ExportSource: HTTPBodySource, @unchecked Sendable {
    // @unchecked: pieces are asked for one after another.

    private let lease: DatabaseLease
    private let exporter: SnapshotExporter

    init(
        lease: DatabaseLease, snapshot: Snapshot, mode: SnapshotExporter.JournalMode = .rollback
    ) {
        self.lease = lease
        exporter = SnapshotExporter(snapshot, mode: mode)
    }

    func nextChunk(maximumBytes: Int) throws -> HTTPBodyPiece? {
        do throws(StorageError) {
            return try exporter.nextPiece(maximumBytes: maximumBytes).map { .bytes($0) }
        } catch {
            throw error.refusal
        }
    }

    func close() { exporter.close() }
}
