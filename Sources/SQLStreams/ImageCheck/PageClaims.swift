internal import Primitives

/// Which pages of an image belong to something. A page belongs to one thing, once; that also ends
/// every circle.
struct PageClaims {
    private let databaseSize: UInt32
    private var claimed: PageSet

    init(databaseSize: UInt32) {
        self.databaseSize = databaseSize
        claimed = PageSet(databaseSize: databaseSize)
    }

    mutating func claim(_ page: UInt32) throws(ImageCheckStop) {
        guard page >= 1, page <= databaseSize, page != PageNumber.lockPage.rawValue else {
            throw .fault("something refers to page \(page) of \(databaseSize)")
        }
        guard claimed.insert(page) else { throw .fault("page \(page) is used twice") }
    }
}

/// A set of pages of one database, at a bit for each page that there is: it is asked about every
/// page that an interior page refers to.
struct PageSet {
    private var words: [UInt64]

    init(databaseSize: UInt32) { words = Array(repeating: 0, count: Int(databaseSize) / 64 + 1) }

    /// False for pages that the database does not have.
    func contains(_ page: UInt32) -> Bool {
        let word = Int(page / 64)
        return word < words.count && words[word] & 1 << UInt64(page % 64) != 0
    }

    /// False if it was in the set.
    mutating func insert(_ page: UInt32) -> Bool {
        let (word, bit) = (Int(page / 64), UInt64(1) << UInt64(page % 64))
        guard words[word] & bit == 0 else { return false }
        words[word] |= bit
        return true
    }
}
