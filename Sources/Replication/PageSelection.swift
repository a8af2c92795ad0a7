internal import Codecs
internal import Primitives
package import WireProtocol

/// The pages that a client asks for, instead of all.
enum PageSelection: Sendable {
    case bitmap(PageSelector)
    /// Ascending, each page once.
    case pages([PageNumber])

    /// Those up to `databaseSize`, in pages; a bitmap of billions costs no more than that.
    ///
    /// - Parameter withFirst: page 1 as well, selected or not.
    func pages(databaseSize: UInt32, withFirst: Bool) -> [PageNumber] {
        var selected =
            switch self {
            case .bitmap(let selector):
                selector.pageIDs(below: databaseSize).compactMap { PageNumber($0) }
            case .pages(let pages): pages.filter { $0.rawValue <= databaseSize }
            }
        let first = PageNumber(PageID(0))!
        if withFirst && selected.first != first { selected.insert(first, at: 0) }
        return selected
    }
}

extension PullRequest {
    /// Whether answering it may have to write down what is known of a partial replica: it begins
    /// as one, or says which one it is. That waits for the disk.
    package var concernsReplica: Bool {
        if serverRevision.isEmpty && clientRevision.isEmpty {
            return !selector.isEmpty || !querySelector.isEmpty
        }
        return [serverRevision, clientRevision].contains { Revision(wire: $0)?.replica != nil }
    }

    /// The SQL whose pages are wanted. It counts at first contact only; elsewhere, and beside a
    /// selector, clients send none, and it is ignored.
    package var tracedQuery: String? {
        guard serverRevision.isEmpty, clientRevision.isEmpty, selector.isEmpty,
            !querySelector.isEmpty
        else { return nil }
        return querySelector
    }
}
