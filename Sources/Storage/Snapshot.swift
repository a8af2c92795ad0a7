internal import Glibc
package import Primitives
internal import Synchronization

/// An unchanging view of a database at one commit. It holds no lock and no SQLite transaction:
/// writers and checkpoints go on, and a checkpoint saves the images that a snapshot still needs.
///
/// Safe to use from any thread. Released by `release` or with its last reference.
package final class Snapshot: Sendable {
    package let revision: Revision
    /// In pages.
    package let databaseSize: UInt32
    private let database: Database
    private let isReleased = Atomic(false)

    init(database: Database, revision: Revision, databaseSize: UInt32) {
        self.database = database
        self.revision = revision
        self.databaseSize = databaseSize
    }

    deinit { release() }

    /// Lets go of the view; later reads are a programming error.
    package func release() {
        guard isReleased.exchange(true, ordering: .acquiringAndReleasing) == false else { return }
        database.removePin(revision.commit)
    }

    /// Reads pages into one buffer.
    ///
    /// - Parameters:
    ///   - pages: ascending, none beyond `databaseSize`.
    ///   - offsets: where in `buffer` each page goes.
    package func read(
        _ pages: ArraySlice<PageNumber>, into buffer: UnsafeMutableRawBufferPointer,
        at offsets: [Int]
    ) throws(StorageError) {
        precondition(pages.count == offsets.count)
        try unsafe database.read(pages, at: revision.commit, into: buffer, offsets: offsets)
    }

    /// One page's content.
    package func page(_ page: PageNumber) throws(StorageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: pageSize)
        var failure: StorageError?
        unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(StorageError) {
                try unsafe read([page], into: buffer, at: [0])
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
