internal import Logging
internal import Primitives

/// Refused changes of a transaction whose end is not known yet.
package struct PendingRejectedChanges {
    let entries: [RejectedChangeLog.Entry]
    /// What the transaction becomes if it commits and changed something.
    let commit: CommitNumber
}

extension WriterSession {
    /// Keeps changes that SQLite refused in the transaction that is open now; durable when it
    /// returns, void unless that transaction commits.
    ///
    /// A change that is listed already stays as it is: a replica whose answer was lost repeats its
    /// push, and that transaction may come to nothing while the first one stands.
    package func recordRejected(
        _ entries: [RejectedChangeLog.Entry]
    ) throws(StorageError) -> PendingRejectedChanges {
        // Both count what is not durable yet: if that is lost, so is this transaction.
        let next = tip.next
        let listed = Set(database.rejectedEntries(upTo: tip).map(\.key))
        let new = entries.filter { !listed.contains($0.key) }
        try database.rejectedChanges.append(new, epoch: database.epoch, commit: next)
        database.logger.warning(
            "push_changes_rejected",
            [("database", database.name.text), ("count", "\(entries.count)")])
        return PendingRejectedChanges(entries: new, commit: next)
    }

    /// The transaction ended. Entries of one that committed stay: they name its commit. One that
    /// committed without changing anything made no commit, so its entries name the tip instead.
    package func resolveRejected(_ pending: PendingRejectedChanges, committed: Bool) {
        do throws(StorageError) {
            guard committed else {
                try database.rejectedChanges.remove(pending.entries.map(\.key))
                return
            }
            guard tip < pending.commit else { return }
            let (epochs, tip) = (database.state.withLock { $0.books.epochs }, tip)
            try database.rejectedChanges.append(
                pending.entries, epoch: epochs.epoch(of: tip) ?? database.epoch, commit: tip)
        } catch {
            database.logger.error(
                "rejected_log_failed", [("database", database.name.text), ("error", "\(error)")])
        }
    }
}
