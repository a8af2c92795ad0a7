internal import Codecs
internal import Primitives

/// Selections of pages as clients write them.
package enum PageSelection {
    /// The beginning of a database, as a bootstrap asks for it.
    package static func prefix(_ count: Int) -> [UInt8] {
        PageSelector.encode((0..<UInt32(clamping: count)).map { PageID($0) })
    }

    /// Pages that a partial replica misses.
    package static func segment(_ ids: Range<Int>) -> [UInt8] {
        PageSelector.encode(ids.map { PageID(UInt32(clamping: $0)) }, inRuns: false)
    }
}
