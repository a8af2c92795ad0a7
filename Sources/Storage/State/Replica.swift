package import Primitives

/// A client that bootstrapped with some of the pages and comes back for the others.
///
/// See docs/architecture.md, "Partial replicas". Pure.
package struct Replica: Equatable, Sendable {
    /// A commit and the size of the database then, in pages.
    package struct Position: Equatable, Sendable {
        package let commit: CommitNumber
        package let databaseSize: UInt32

        package init(commit: CommitNumber, databaseSize: UInt32) {
            self.commit = commit
            self.databaseSize = databaseSize
        }
    }

    package let id: ReplicaID
    /// The epoch of the base. Kept, because the epoch table forgets old ones.
    package let baseEpoch: Epoch
    /// What it bootstrapped with, for life.
    package let base: Position
    /// What it named itself when it pulled last.
    package internal(set) var echoed: Position
    /// What the last answer to a pull brought it to, as far as is known.
    package internal(set) var sent: Position
    /// Seconds since 1970.
    package internal(set) var lastUse: Int64
    /// It has every page and needs no history: a bootstrap in several requests has ended.
    package internal(set) var isFull = false
    /// Pages that it was sent so far; nil once that is of no interest any more.
    var coverage: PageCoverage? = PageCoverage()

    package init(id: ReplicaID, baseEpoch: Epoch, base: Position, lastUse: Int64) {
        self.id = id
        self.baseEpoch = baseEpoch
        self.base = base
        echoed = base
        sent = base
        self.lastUse = lastUse
    }

    /// The commits that must stay readable for it.
    var pinnedCommits: [CommitNumber] {
        if isFull { return [] }
        return echoed == sent ? [sent.commit] : [echoed.commit, sent.commit]
    }

    /// Whether `revision` is the one it bootstrapped with.
    func began(with revision: Revision) -> Bool {
        revision.commit == base.commit && revision.epoch == baseEpoch
    }
}

/// Which pages from the first one on a client was sent, in whatever order.
struct PageCoverage: Equatable, Sendable {
    /// Disjoint, ascending, not adjacent; page ids.
    private var ranges: [Range<UInt32>] = []
    /// Clients that bootstrap in several requests ask in order; what is scattered is a partial
    /// replica's reading, and need not be followed further.
    private static let rangeLimit = 256

    /// False if the pages are too scattered to be followed.
    mutating func add(_ new: Range<UInt32>) -> Bool {
        guard !new.isEmpty else { return true }
        let touching = ranges.indices.filter {
            ranges[$0].lowerBound <= new.upperBound && new.lowerBound <= ranges[$0].upperBound
        }
        guard let first = touching.first, let last = touching.last else {
            let index = ranges.firstIndex { $0.lowerBound > new.lowerBound } ?? ranges.count
            ranges.insert(new, at: index)
            return ranges.count <= Self.rangeLimit
        }
        let lower = min(new.lowerBound, ranges[first].lowerBound)
        let upper = max(new.upperBound, ranges[last].upperBound)
        ranges.replaceSubrange(first...last, with: [lower..<upper])
        return true
    }

    func covers(_ databaseSize: UInt32) -> Bool {
        guard let first = ranges.first else { return false }
        return first.lowerBound == 0 && first.upperBound >= databaseSize
    }
}
