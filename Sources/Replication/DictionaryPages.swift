package import Primitives

/// Pages that a replica has, as a dictionary for those that it is sent.
package enum DictionaryPages {
    /// Few: setting one up costs as much as compressing some pages.
    package static let maximumCount = 8
    /// Below, what a dictionary saves is not worth reading it.
    package static let minimumChangedCount = 2

    /// Neighbours of changed pages that did not change themselves: they often belong to the same
    /// tree.
    ///
    /// The first page is left out, because clients keep tables of their own, whose schema is
    /// there, and the lock page, which holds nothing.
    ///
    /// - Parameters:
    ///   - changed: since the revision that the replica has, ascending.
    ///   - databaseSize: in pages; of those beyond a replica's own size all changed.
    /// - Returns: ascending, each once.
    package static func choose(changed: [PageNumber], databaseSize: UInt32) -> [PageNumber] {
        guard changed.count >= minimumChangedCount else { return [] }
        let isChanged = Set(changed)
        var chosen: Set<PageNumber> = []
        let step = max(1, changed.count / maximumCount)
        for index in stride(from: 0, to: changed.count, by: step) {
            guard chosen.count < maximumCount else { break }
            for neighbour in neighbours(of: changed[index].rawValue, upTo: databaseSize)
            where !isChanged.contains(neighbour) && !chosen.contains(neighbour) {
                chosen.insert(neighbour)
                break
            }
        }
        return chosen.sorted()
    }

    /// The nearest first.
    private static func neighbours(of page: UInt32, upTo databaseSize: UInt32) -> [PageNumber] {
        (1...16 as ClosedRange<UInt32>).flatMap { distance -> [PageNumber] in
            var found: [PageNumber] = []
            if page > distance + 1, let before = PageNumber(page - distance) {
                found.append(before)
            }
            if page + distance <= databaseSize, let after = PageNumber(page + distance) {
                found.append(after)
            }
            return found.filter { $0 != .lockPage }
        }
    }
}
