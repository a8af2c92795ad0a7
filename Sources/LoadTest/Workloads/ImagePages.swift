internal import Primitives
internal import SQLite

/// Pages in memory, for SQLite to read. A page that was never received is an error.
final class ImagePages: PageSource {
    /// SQLITE_IOERR.
    private static let inputOutputError: Int32 = 10

    private let pages: [[UInt8]]

    init(pages: [[UInt8]]) { self.pages = pages }

    var databaseSize: UInt32 { UInt32(clamping: pages.count) }

    func read(
        page: UInt32, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SQLiteError) {
        guard Int(page) <= pages.count, pages[Int(page) - 1].count == pageSize else {
            throw SQLiteError(
                extendedCode: Self.inputOutputError, message: "page \(page) is missing")
        }
        unsafe buffer.copyBytes(from: pages[Int(page) - 1])
    }
}
