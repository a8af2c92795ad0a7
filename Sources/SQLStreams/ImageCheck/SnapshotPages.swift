internal import Primitives
internal import SQLite
internal import Storage

/// A snapshot as the base of an image.
final class SnapshotPages: PageSource {
    private let snapshot: Snapshot
    /// The newest error of the snapshot, which SQLite's errors cannot hold.
    private(set) var failure: StorageError?

    init(_ snapshot: Snapshot) { self.snapshot = snapshot }

    var databaseSize: UInt32 { snapshot.databaseSize }

    func read(
        page: UInt32, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SQLiteError) {
        guard let number = PageNumber(page) else { preconditionFailure("no page has this number") }
        do throws(StorageError) {
            try unsafe snapshot.read([number], into: buffer, at: [0])
        } catch {
            failure = error
            throw SQLiteError(extendedCode: SQLiteError.PrimaryCode.inputOutput.rawValue)
        }
    }
}
