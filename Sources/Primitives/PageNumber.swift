/// The only page size that the clients' engine can hold, in bytes.
package let pageSize = 4096

/// A page as SQLite counts them: the first page is 1. The pull protocol counts from 0
/// (`PageID`). Neither converts implicitly, so confusing them does not compile.
///
/// Invariant: `1 ... 0xFFFF_FFFE`, SQLite's own limit.
package struct PageNumber: Hashable, Comparable, Sendable {
    package let rawValue: UInt32

    /// Holds byte 0x4000_0000 (1 GiB). SQLite locks that byte and never stores data in its page.
    package static let lockPage = PageNumber(rawValue: 0x4000_0000 / UInt32(pageSize) + 1)

    /// `nil` outside the limit: page numbers arrive from disks and networks and must not trap.
    package init?(_ rawValue: UInt32) {
        guard (1...0xFFFF_FFFE).contains(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    package init?(_ id: PageID) {
        guard id.rawValue < 0xFFFF_FFFE else { return nil }
        rawValue = id.rawValue + 1
    }

    private init(rawValue: UInt32) { self.rawValue = rawValue }

    package var id: PageID { PageID(rawValue - 1) }

    /// Offset of the page's first byte in the database file, in bytes.
    package var byteOffset: Int64 { Int64(rawValue - 1) * Int64(pageSize) }

    package static func < (left: PageNumber, right: PageNumber) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// A page as pull messages and their selectors count them: the first page is 0.
package struct PageID: Hashable, Comparable, Sendable {
    package let rawValue: UInt32

    package init(_ rawValue: UInt32) { self.rawValue = rawValue }

    package static func < (left: PageID, right: PageID) -> Bool { left.rawValue < right.rawValue }
}
