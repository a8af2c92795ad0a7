package import Primitives

/// Pages to send, ascending; a range costs no memory.
package enum PageList: Sendable {
    case all(databaseSize: UInt32)
    case listed([PageNumber])

    package var count: Int {
        switch self {
        case .all(let databaseSize): Int(databaseSize)
        case .listed(let pages): pages.count
        }
    }

    /// The pages as runs of ids without gaps.
    package var idRanges: [Range<UInt32>] {
        switch self {
        case .all(let databaseSize): return [0..<databaseSize]
        case .listed(let pages):
            var ranges: [Range<UInt32>] = []
            for page in pages {
                let id = page.rawValue - 1
                if let last = ranges.last, last.upperBound == id {
                    ranges[ranges.count - 1] = last.lowerBound..<id + 1
                } else {
                    ranges.append(id..<id + 1)
                }
            }
            return ranges
        }
    }

    func slice(_ range: Range<Int>) -> ArraySlice<PageNumber> {
        switch self {
        case .all: range.map { PageNumber(UInt32($0 + 1))! }[...]
        case .listed(let pages): pages[range]
        }
    }

    func page(at index: Int) -> UInt32 {
        switch self {
        case .all: UInt32(index + 1)
        case .listed(let pages): pages[index].rawValue
        }
    }

    /// Whether the pages from `index` on are all of these.
    func has(_ pages: ClosedRange<UInt32>, at index: Int) -> Bool {
        let last = index + pages.count - 1
        guard last < count else { return false }
        return page(at: index) == pages.lowerBound && page(at: last) == pages.upperBound
    }
}
