package import Primitives
package import Storage
internal import WireProtocol

/// The answer to a pull as bytes, made piece by piece at the speed the client reads: the header
/// message, then one message a page.
///
/// Holds a snapshot, which blocks nobody, and its database's lease until it is closed. One thread
/// at a time uses it.
package final class PageStream: @unchecked Sendable {
    // @unchecked: pieces are asked for one after another (HTTPBodySource).

    private let lease: DatabaseLease
    private let snapshot: Snapshot
    private var header: [UInt8]?
    private let listPages: @Sendable () -> PageList
    /// Listed by the first piece, so on a worker: the list may be long.
    private var pages: PageList?
    private var next = 0
    private let willEnd: @Sendable () throws(StorageError) -> Void
    private let onClose: @Sendable (_ isComplete: Bool) -> Void

    private static let maximumFramedSize = PageFraming.maximumPrefixSize + pageSize

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
    }

    /// - Parameters:
    ///   - header: the framed header message.
    ///   - willEnd: called before the last piece is handed out; if it fails, that piece is not.
    ///   - onClose: called once, when the stream is let go of.
    ///   - listPages: the pages to send. Called by the first piece.
    package init(
        lease: DatabaseLease, snapshot: Snapshot, header: [UInt8],
        willEnd: @escaping @Sendable () throws(StorageError) -> Void = {},
        onClose: @escaping @Sendable (_ isComplete: Bool) -> Void = { _ in },
        pages listPages: @escaping @Sendable () -> PageList
    ) {
        self.lease = lease
        self.snapshot = snapshot
        self.header = header
        self.listPages = listPages
        self.willEnd = willEnd
        self.onClose = onClose
    }

    /// The next piece of about `maximumBytes`, at least one message; nil at the end.
    package func nextPiece(maximumBytes: Int) throws(StorageError) -> [UInt8]? {
        let head = header ?? []
        header = nil
        let pages = self.pages ?? listPages()
        self.pages = pages
        let room = max(0, maximumBytes - head.count) / Self.maximumFramedSize
        let count = min(pages.count - next, head.isEmpty ? max(1, room) : room)
        guard count > 0 || !head.isEmpty else { return nil }
        let slice = pages.slice(next..<next + count)
        next += count
        let piece = try piece(head: head, pages: slice)
        if next == pages.count { try willEnd() }
        return piece
    }

    /// Writes the framing and lets the storage read every page right behind its prefix: the page's
    /// bytes are copied once, from the file to the piece.
    private func piece(
        head: [UInt8], pages: ArraySlice<PageNumber>
    ) throws(StorageError) -> [UInt8] {
        var offsets: [Int] = []
        offsets.reserveCapacity(pages.count)
        var failure: StorageError?
        let capacity = head.count + pages.count * Self.maximumFramedSize
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) {
            buffer, initializedCount in
            let base = UnsafeMutableRawPointer(buffer.baseAddress!)
            unsafe head.withUnsafeBytes { source in
                if let start = source.baseAddress {
                    unsafe base.copyMemory(from: start, byteCount: source.count)
                }
            }
            var offset = head.count
            for page in pages {
                unsafe offset += PageFraming.writePrefix(of: page.id, into: base + offset)
                offsets.append(offset)
                offset += pageSize
            }
            do throws(StorageError) {
                try unsafe snapshot.read(
                    pages, into: UnsafeMutableRawBufferPointer(start: base, count: offset),
                    at: offsets)
                initializedCount = offset
            } catch {
                failure = error
                initializedCount = 0
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Lets go of the snapshot. Call once.
    package func close() {
        snapshot.release()
        onClose(header == nil && next == pages?.count)
    }
}
