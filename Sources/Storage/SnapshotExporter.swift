internal import Primitives

/// Gives out a snapshot as the bytes of an ordinary SQLite file, piece by piece.
package final class SnapshotExporter {
    /// How the file says that it is to be written: bytes 18 and 19 of its header.
    package enum JournalMode: UInt8, Sendable {
        /// It can be read without a WAL beside it.
        case rollback = 1
        case wal = 2
    }

    private let snapshot: Snapshot
    private let mode: JournalMode
    private var next: UInt32 = 1

    package init(_ snapshot: Snapshot, mode: JournalMode = .rollback) {
        self.snapshot = snapshot
        self.mode = mode
    }

    package var databaseSize: UInt32 { snapshot.databaseSize }

    /// Whole pages of at most `maximumBytes`, at least one; nil at the end.
    package func nextPiece(maximumBytes: Int) throws(StorageError) -> [UInt8]? {
        guard next <= snapshot.databaseSize else { return nil }
        let count = min(UInt32(max(1, maximumBytes / pageSize)), snapshot.databaseSize - next + 1)
        let pages = (next..<next + count).compactMap { PageNumber($0) }
        var failure: StorageError?
        var bytes = unsafe [UInt8](unsafeUninitializedCapacity: pages.count * pageSize) {
            buffer, size in
            do throws(StorageError) {
                try unsafe snapshot.read(
                    pages[...], into: UnsafeMutableRawBufferPointer(buffer),
                    at: pages.indices.map { $0 * pageSize })
                size = pages.count * pageSize
            } catch {
                failure = error
                size = 0
            }
        }
        if let failure { throw failure }
        if next == 1 {
            bytes[18] = mode.rawValue
            bytes[19] = mode.rawValue
        }
        next += count
        return bytes
    }

    package func close() { snapshot.release() }
}
