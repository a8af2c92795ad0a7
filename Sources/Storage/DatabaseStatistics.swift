package import Primitives

/// Figures of one database for operators.
package struct DatabaseStatistics: Sendable {
    package let revision: Revision
    /// In pages.
    package let databaseSize: UInt32
    /// Frames that are not yet in the main file.
    package let walFrameCount: Int
    package let walBytes: Int64
    package let mainBytes: Int64
    /// Old images and the log of what they are for.
    package let historyBytes: Int64
    /// Frames that are kept for frame sync, outside of the WAL.
    package let frameBytes: Int64
    /// Encoded pages that are kept to be sent again.
    package let cacheBytes: Int64
    /// The current generation of frame sync; nil while nobody uses it.
    package let generation: UInt32?
    /// Partial replicas that history is kept for.
    package let pinCount: Int
    /// Such that were dropped since the database was opened.
    package let droppedPinCount: Int
    /// Answers under way.
    package let snapshotCount: Int
    package let rejectedChangeCount: Int
    /// Long polls that are held.
    package let waiterCount: Int
    /// The newest checkpoint since the database was opened.
    package let lastCheckpoint: CheckpointRecord?
}

extension Database {
    package func statistics() throws(StorageError) -> DatabaseStatistics {
        let walBytes = try walFile.size()
        let mainBytes = try mainFile.size()
        let historyBytes = try historyFile.size() + historyLog.withLock { $0.size }
        let frameBytes = archivedFrameBytes
        let rejected = rejectedEntries().count
        // It waits for who writes to an image, which nobody else must wait for.
        let cacheBytes = images.size
        return state.withLock { state in
            DatabaseStatistics(
                revision: state.books.headRevision, databaseSize: state.books.databaseSize,
                walFrameCount: state.books.walFrameCount, walBytes: walBytes, mainBytes: mainBytes,
                historyBytes: historyBytes, frameBytes: frameBytes, cacheBytes: cacheBytes,
                generation: state.books.generation?.number,
                pinCount: state.books.replicas.partialCount,
                droppedPinCount: droppedPinCount.load(ordering: .relaxed),
                snapshotCount: state.books.snapshotCount, rejectedChangeCount: rejected,
                waiterCount: state.waiters.count, lastCheckpoint: state.lastCheckpoint)
        }
    }

    /// Changes of pushes that SQLite refused while the rest of their transaction committed.
    package func rejectedEntries() -> [RejectedChangeLog.Entry] {
        rejectedEntries(upTo: state.withLock { $0.books.head })
    }

    func rejectedEntries(upTo newest: CommitNumber) -> [RejectedChangeLog.Entry] {
        let epochs = state.withLock { $0.books.epochs }
        return rejectedChanges.entries { epoch, commit in
            // One that is not in the table was pruned, and its commits lie before all others; or
            // it made no commit before its process died.
            guard epochs.entries.contains(where: { $0.epoch == epoch }) else {
                return epochs.entries.first.map { commit <= $0.start } ?? true
            }
            return epochs.knows(commit, in: epoch, head: newest)
        }
    }
}
