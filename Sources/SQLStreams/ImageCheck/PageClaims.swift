internal import Primitives

/// Which pages of an image belong to something. A page belongs to one thing, once; that also ends
/// every circle.
struct PageClaims {
    private let databaseSize: UInt32
    private var words: [UInt64]

    init(databaseSize: UInt32) {
        self.databaseSize = databaseSize
        words = Array(repeating: 0, count: Int(databaseSize) / 64 + 1)
    }

    mutating func claim(_ page: UInt32) throws(ImageCheckStop) {
        guard page >= 1, page <= databaseSize, page != PageNumber.lockPage.rawValue else {
            throw .fault("something refers to page \(page) of \(databaseSize)")
        }
        let (word, mask) = (Int(page / 64), UInt64(1) << UInt64(page % 64))
        guard words[word] & mask == 0 else { throw .fault("page \(page) is used twice") }
        words[word] |= mask
    }
}
