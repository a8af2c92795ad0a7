internal import HTTP
internal import Primitives
internal import Storage

/// The file of a database at one commit, as an ordinary SQLite file in rollback mode.
final class ExportSource: HTTPBodySource, @unchecked Sendable {
    // @unchecked: pieces are asked for one after another.

    private let lease: DatabaseLease
    private let exporter: SnapshotExporter

    init(lease: DatabaseLease, snapshot: Snapshot) {
        self.lease = lease
        exporter = SnapshotExporter(snapshot)
    }

    func nextChunk(maximumBytes: Int) throws -> [UInt8]? {
        do throws(StorageError) {
            return try exporter.nextPiece(maximumBytes: maximumBytes)
        } catch {
            throw error.refusal
        }
    }

    func close() { exporter.close() }
}
