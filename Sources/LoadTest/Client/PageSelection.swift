internal import Codecs
internal import Primitives

/// Selections of pages as clients write them.
package enum PageSelection {
    /// A run of page ids, from 0 on.
    package static func encode(_ ids: Range<UInt32>) -> [UInt8] {
        PageSelector.encode(ids.map { PageID($0) })
    }
}
