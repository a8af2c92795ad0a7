internal import Logging
internal import Primitives

extension WriterSession {
    /// Keeps changes that SQLite refused in the transaction that is open now; durable when it
    /// returns, void unless that transaction commits.
    package func recordRejected(_ entries: [RejectedChangeLog.Entry]) throws(StorageError) {
        let next = database.state.withLock { $0.books.head.next }
        try database.rejectedChanges.append(entries, epoch: database.epoch, commit: next)
        database.logger.warning(
            "push_changes_rejected",
            [("database", database.name.text), ("count", "\(entries.count)")])
    }

    /// The transaction ended. Entries of one that committed stay: they name its commit. A
    /// transaction that committed without changing anything made no commit to name, so its
    /// entries would come to name the next one.
    package func resolveRejected(_ keys: [String], committed: Bool) {
        guard !committed else { return }
        do throws(StorageError) { try database.rejectedChanges.remove(keys) } catch {
            database.logger.error(
                "rejected_log_failed", [("database", database.name.text), ("error", "\(error)")])
        }
    }
}
