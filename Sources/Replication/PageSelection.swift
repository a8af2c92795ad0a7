internal import Codecs
internal import Primitives
package import WireProtocol

/// The pages that a client asks for, instead of all.
enum PageSelection: Sendable {
    case bitmap(PageSelector)
    /// Ascending, each page once.
    case pages([PageNumber])

    /// Those up to `databaseSize`, in pages; a bitmap of billions costs no more than that.
    func pages(databaseSize: UInt32, first treatment: PullPlan.FirstPage) -> [PageNumber] {
        var selected =
            switch self {
            case .bitmap(let selector):
                selector.pageIDs(below: databaseSize).compactMap { PageNumber($0) }
            case .pages(let pages): pages.filter { $0.rawValue <= databaseSize }
            }
        let first = PageNumber(PageID(0))!
        switch treatment {
        case .asSelected: break
        case .always: if selected.first != first { selected.insert(first, at: 0) }
        case .keepsItsOwn: if selected.count > 1, selected.first == first { selected.removeFirst() }
        }
        return selected
    }
}

extension PageSelection {
    /// Whether a bootstrap in several requests may have asked so: for a range, up to the end. The
    /// clients write these as runs, and what a partial replica misses as a list; only short ranges
    /// look the same.
    func isRange(databaseSize: UInt32) -> Bool {
        guard case .bitmap(let selector) = self else { return false }
        if selector.isWrittenInRuns { return true }
        return selector.count <= 3 && selector.contains(PageID(databaseSize - 1))
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

    /// Whether the answer takes more than an event loop has time for.
    package var needsWorker: Bool { concernsReplica || encoding == .zstd }

    /// The SQL whose pages are wanted. It counts at first contact only; elsewhere, and beside a
    /// selector, clients send none, and it is ignored.
    package var tracedQuery: String? {
        guard serverRevision.isEmpty, clientRevision.isEmpty, selector.isEmpty,
            !querySelector.isEmpty
        else { return nil }
        return querySelector
    }
}
