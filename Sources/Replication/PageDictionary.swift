package import Primitives
package import Storage

/// Pages that a replica has, as a dictionary for those that it is sent.
///
/// The best ones for pages that changed are the same pages as the replica has them: a commit
/// changes little of a page. If that state cannot be read any more, pages near them that did not
/// change are taken, which often belong to the same tree.
package struct PageDictionary: Sendable {
    /// Ascending, each once, not empty.
    package let pages: [PageNumber]
    /// Shows them as the replica has them.
    package let snapshot: Snapshot

    /// Setting a dictionary up costs as much as compressing some pages.
    package static let maximumCount = 32
    /// Of pages that did not change, fewer are of use.
    package static let maximumUnchangedCount = 8

    /// - Parameters:
    ///   - changed: what the replica is sent of `newest`, ascending.
    ///   - old: the state that it has, if it can be read; let go of with the dictionary.
    /// - Returns: nil if there are none.
    package init?(changed: [PageNumber], newest: Snapshot, old: Snapshot?) {
        if let old {
            pages = Self.old(changed: changed, databaseSize: old.databaseSize)
            snapshot = old
        } else {
            pages = Self.unchanged(near: changed, databaseSize: newest.databaseSize)
            snapshot = newest
        }
        if pages.isEmpty { return nil }
    }

    /// The first page is left out, because clients keep tables of their own, whose schema is
    /// there, and the lock page, which holds nothing.
    private static func isOfUse(_ page: PageNumber) -> Bool {
        page.rawValue > 1 && page != .lockPage
    }

    /// Of the pages that changed those that a replica with `databaseSize` pages has.
    package static func old(changed: [PageNumber], databaseSize: UInt32) -> [PageNumber] {
        Array(
            changed.lazy.filter { isOfUse($0) && $0.rawValue <= databaseSize }
                .prefix(maximumCount))
    }

    /// - Parameter databaseSize: in pages; of those beyond a replica's own size all changed.
    package static func unchanged(
        near changed: [PageNumber], databaseSize: UInt32
    ) -> [PageNumber] {
        // For a single page it is not worth reading one.
        guard changed.count > 1 else { return [] }
        let isChanged = Set(changed)
        var chosen: Set<PageNumber> = []
        let step = max(1, changed.count / maximumUnchangedCount)
        for index in stride(from: 0, to: changed.count, by: step) {
            guard chosen.count < maximumUnchangedCount else { break }
            let neighbour = neighbours(of: changed[index].rawValue, upTo: databaseSize).first {
                isOfUse($0) && !isChanged.contains($0) && !chosen.contains($0)
            }
            if let neighbour { chosen.insert(neighbour) }
        }
        return chosen.sorted()
    }

    /// The nearest first.
    private static func neighbours(of page: UInt32, upTo databaseSize: UInt32) -> [PageNumber] {
        (1...16 as ClosedRange<UInt32>).flatMap { distance -> [PageNumber] in
            let before = page > distance ? PageNumber(page - distance) : nil
            let after = page + distance <= databaseSize ? PageNumber(page + distance) : nil
            return [before, after].compactMap { $0 }
        }
    }
}
