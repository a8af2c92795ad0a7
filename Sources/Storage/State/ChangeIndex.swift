package import Primitives

/// Which commit changed each page last: answers "what changed since revision R" in time
/// proportional to the answer.
///
/// Pages form a doubly linked list in the order of their last change, newest first, so a question
/// walks from the newest change back to R and never looks at the rest of the database.
///
/// Cost: 16 bytes of memory a page, for pages up to the highest one that ever changed.
/// Invariant: commits along the list never increase from newest to oldest.
package struct ChangeIndex {
    private var lastChange: [UInt64] = [0]
    /// Neighbours in the list by page number. Element 0 is the list's head: `older[0]` is the
    /// page that changed last, `newer[0]` the one that has been unchanged the longest.
    private var newer: [UInt32] = [0]
    private var older: [UInt32] = [0]

    package init() {}

    /// Notes that `commit` changed `page`.
    ///
    /// - Precondition: no page changed in a later commit than `commit`.
    package mutating func record(_ page: PageNumber, changedBy commit: CommitNumber) {
        let index = Int(page.rawValue)
        if index >= lastChange.count { grow(to: index + 1) }
        precondition(commit.rawValue >= lastChange[Int(older[0])], "commits must not go back")
        if lastChange[index] != 0 { unlink(index) }
        lastChange[index] = commit.rawValue
        let first = older[0]
        older[index] = first
        newer[index] = 0
        newer[Int(first)] = page.rawValue
        older[0] = page.rawValue
    }

    /// The commit that changed `page` last; nil if none did since the index began.
    package func lastChange(of page: PageNumber) -> CommitNumber? {
        let index = Int(page.rawValue)
        guard index < lastChange.count, lastChange[index] != 0 else { return nil }
        return CommitNumber(lastChange[index])
    }

    /// The commit that changed one of these pages last; commit 0 if none did since the index began.
    package func lastChange(in pages: ClosedRange<UInt32>) -> CommitNumber {
        let first = Int(pages.lowerBound)
        guard first < lastChange.count else { return CommitNumber(0) }
        let end = min(Int(pages.upperBound) + 1, lastChange.count)
        return CommitNumber(lastChange[first..<end].max() ?? 0)
    }

    /// The pages numbered up to `databaseSize` that changed after `commit`, ascending.
    package func pages(
        changedAfter commit: CommitNumber, databaseSize: UInt32
    ) -> [PageNumber] {
        var found: [PageNumber] = []
        var index = Int(older[0])
        while index != 0, lastChange[index] > commit.rawValue {
            if index <= Int(databaseSize), let page = PageNumber(UInt32(index)) {
                found.append(page)
            }
            index = Int(older[index])
        }
        found.sort()
        return found
    }

    /// Pages with the commit of their last change, in the order of these commits, for those that
    /// changed after `commit`: what a change file has to hold to bring an index that knows
    /// `commit` up to date.
    package func changes(after commit: CommitNumber) -> [(page: PageNumber, commit: CommitNumber)] {
        var found: [(page: PageNumber, commit: CommitNumber)] = []
        var index = Int(older[0])
        while index != 0, lastChange[index] > commit.rawValue {
            if let page = PageNumber(UInt32(index)) {
                found.append((page, CommitNumber(lastChange[index])))
            }
            index = Int(older[index])
        }
        found.reverse()
        return found
    }

    private mutating func grow(to count: Int) {
        // Grow by half, so that a database that grows page by page does not copy each time.
        let target = max(count, min(lastChange.count * 3 / 2, lastChange.count + 1 << 20))
        let missing = target - lastChange.count
        lastChange.append(contentsOf: repeatElement(0, count: missing))
        newer.append(contentsOf: repeatElement(0, count: missing))
        older.append(contentsOf: repeatElement(0, count: missing))
    }

    private mutating func unlink(_ index: Int) {
        let (before, after) = (newer[index], older[index])
        older[Int(before)] = after
        newer[Int(after)] = before
    }
}
