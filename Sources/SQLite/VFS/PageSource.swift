internal import Primitives

/// The pages of a database that is not a file: `Connection(image:)` reads them.
///
/// One thread uses it at a time, the one that uses the connection.
package protocol PageSource: AnyObject {
    /// In pages.
    var databaseSize: UInt32 { get }

    /// Fills `buffer`, which holds exactly one page.
    ///
    /// - Parameter page: 1 to `databaseSize`.
    func read(
        page: UInt32, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SQLiteError)
}

extension PageSource {
    /// One page's content.
    package func page(_ page: UInt32) throws(SQLiteError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: pageSize)
        var failure: SQLiteError?
        unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(SQLiteError) {
                try unsafe read(page: page, into: buffer)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
