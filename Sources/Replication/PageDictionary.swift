package import Primitives
package import Storage

/// Pages that a replica has, as a dictionary for those that it is sent: the same pages, as it has
/// them. A commit changes little of a page, so what is left is often a hundredth.
///
/// Pages that did not change are of little use for others: they save 3 % (docs/performance.md).
package struct PageDictionary: Sendable {
    /// Ascending, each once, not empty.
    package let pages: [PageNumber]
    /// The state that the replica has. Let go of with the dictionary.
    package let snapshot: Snapshot

    /// One megabyte. An answer with more pages is mostly one after a long time.
    package static let maximumCount = 256

    /// - Parameter changed: what the replica is sent, ascending.
    /// - Returns: nil if there are no such pages.
    package init?(changed: [PageNumber], of snapshot: Snapshot) {
        pages = Self.choose(changed: changed, databaseSize: snapshot.databaseSize)
        self.snapshot = snapshot
        if pages.isEmpty { return nil }
    }

    /// Of the pages that changed those that a replica with `databaseSize` pages has.
    ///
    /// The first page is left out, because clients keep tables of their own, whose schema is
    /// there, and the lock page, which holds nothing.
    package static func choose(changed: [PageNumber], databaseSize: UInt32) -> [PageNumber] {
        Array(
            changed.lazy.filter {
                $0.rawValue > 1 && $0 != .lockPage && $0.rawValue <= databaseSize
            }.prefix(maximumCount))
    }
}
