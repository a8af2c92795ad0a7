internal import Glibc
package import Primitives
internal import Synchronization

/// An unchanging view of a database at one commit, or what a partial replica must see of it. It
/// holds no lock and no SQLite transaction: writers and checkpoints go on, and a checkpoint saves
/// the images that a snapshot still needs.
///
/// Safe to use from any thread. Released by `release` or with its last reference.
package final class Snapshot: Sendable {
    package let revision: Revision
    /// In pages.
    package let databaseSize: UInt32
    let database: Database
    /// Pinned commits. A page is as of the first one that has it; what none has is zeros.
    private let layers: [Replica.Position]
    /// Whether this shows the database as of `revision`, and not what a replica must see of it.
    let isPlain: Bool
    private let isReleased = Atomic(false)

    init(
        database: Database, revision: Revision, databaseSize: UInt32,
        layers: [Replica.Position]? = nil
    ) {
        self.database = database
        self.revision = revision
        self.databaseSize = databaseSize
        let newest = Replica.Position(commit: revision.commit, databaseSize: databaseSize)
        isPlain = layers == nil || layers == [newest]
        self.layers = layers ?? [newest]
    }

    deinit { release() }

    /// Lets go of the view; later reads are a programming error.
    package func release() {
        guard isReleased.exchange(true, ordering: .acquiringAndReleasing) == false else { return }
        for layer in layers { database.removePin(layer.commit) }
    }

    /// Reads pages into one buffer.
    ///
    /// - Parameters:
    ///   - pages: ascending, none beyond `databaseSize`.
    ///   - offsets: where in `buffer` each page goes.
    /// - Throws: `revisionGone` if the history grew over its quota and could not hold the view.
    package func read(
        _ pages: ArraySlice<PageNumber>, into buffer: UnsafeMutableRawBufferPointer,
        at offsets: [Int]
    ) throws(StorageError) {
        precondition(pages.count == offsets.count)
        var rest = pages
        var restOffsets = offsets[...]
        for layer in layers {
            let end = rest.firstIndex { $0.rawValue > layer.databaseSize } ?? rest.endIndex
            let count = end - rest.startIndex
            guard count > 0 else { continue }
            try unsafe database.read(
                rest[..<end], at: layer.commit, into: buffer,
                offsets: Array(restOffsets.prefix(count)))
            rest = rest[end...]
            restOffsets = restOffsets.dropFirst(count)
        }
        for offset in restOffsets { unsafe memset(buffer.baseAddress! + offset, 0, pageSize) }
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
