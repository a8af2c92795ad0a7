package import Primitives

/// Which process wrote which run of commits: decides whether a revision that a client carries is
/// one of ours.
///
/// Entry i covers the commits after its start up to and including the start of entry i + 1; the
/// last entry covers all up to the head. Invariant: starts never decrease.
package struct EpochTable: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package let epoch: Epoch
        /// The last commit *before* this epoch.
        package let start: CommitNumber

        package init(epoch: Epoch, start: CommitNumber) {
            self.epoch = epoch
            self.start = start
        }
    }

    /// As many as fit into a slot of the meta file; older ones become unknown, which costs their
    /// clients one full answer.
    package static let capacity = 200

    package private(set) var entries: [Entry]

    package init(entries: [Entry] = []) { self.entries = entries }

    /// Begins an epoch whose first commit is the one after `head`.
    package mutating func begin(_ epoch: Epoch, after head: CommitNumber) {
        precondition(entries.last.map { $0.start <= head } ?? true, "epochs must not go back")
        // An epoch without a commit covers nothing and need not be kept.
        if let last = entries.last, last.start == head { entries.removeLast() }
        entries.append(Entry(epoch: epoch, start: head))
        if entries.count > Self.capacity { entries.removeFirst(entries.count - Self.capacity) }
    }

    /// The epoch that `commit` lies in; nil if that was pruned.
    package func epoch(of commit: CommitNumber) -> Epoch? {
        entries.last { $0.start < commit }?.epoch
    }

    /// Whether `epoch` made `commit`, given that `head` is the newest commit.
    package func knows(_ commit: CommitNumber, in epoch: Epoch, head: CommitNumber) -> Bool {
        commit <= head && self.epoch(of: commit) == epoch
    }
}
