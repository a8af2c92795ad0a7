package import Primitives
package import Storage
internal import WireProtocol

/// The answer to a pull, made piece by piece at the speed the client reads: the header message,
/// then one message a page.
///
/// Runs of pages that are chunks of the database's image come from there, if it shows the state
/// that is to be sent; all else is read.
///
/// Holds a snapshot, which blocks nobody, and its database's lease until it is closed. One thread
/// at a time uses it.
package final class PageStream: @unchecked Sendable {
    // @unchecked: pieces are asked for one after another (HTTPBodySource).

    /// Bytes, and parts of files, in order.
    package enum Part: Sendable {
        case bytes([UInt8])
        case region(FileRegion)
    }

    private let lease: DatabaseLease
    private let snapshot: Snapshot
    private var header: [UInt8]?
    private let listPages: @Sendable () -> PageList
    /// Listed by the first piece, so on a worker: the list may be long.
    private var pages: PageList?
    private var next = 0
    private let willEnd: @Sendable () throws(StorageError) -> Void
    private let onClose: @Sendable (_ isComplete: Bool) -> Void

    /// Bytes of files that are given out at a time, about.
    private static let regionPieceSize = 4 << 20

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

    /// The next piece of about `maximumBytes` in memory, at least one message, or a few megabytes
    /// of files; nil at the end.
    package func nextPiece(maximumBytes: Int) throws(StorageError) -> [Part]? {
        let pages = self.pages ?? listPages()
        self.pages = pages
        let head = header
        guard head != nil || next < pages.count else { return nil }
        header = nil
        var (parts, isFull) = try cachedParts(of: pages)
        if let head { parts.insert(.bytes(head), at: 0) }
        if parts.count == (head == nil ? 0 : 1), next < pages.count, !isFull {
            parts = [.bytes(try liveBytes(of: pages, head: head ?? [], maximumBytes))]
        }
        if next == pages.count { try willEnd() }
        return parts
    }

    /// Lets go of the snapshot. Call once.
    package func close() {
        snapshot.release()
        onClose(header == nil && next == pages?.count)
    }

    // MARK: pages from the image

    /// The chunks that come next, as far as they are there. One that has to be made ends the
    /// piece, so that the client does not wait for several.
    private func cachedParts(
        of pages: PageList
    ) throws(StorageError) -> (parts: [Part], isFull: Bool) {
        var parts: [Part] = []
        var size = 0
        while next < pages.count, size < Self.regionPieceSize {
            guard let (chunk, pageCount) = try cachedChunk(of: pages) else { break }
            next += pageCount
            switch chunk {
            case .found(let region, _):
                parts.append(.region(region))
                size += region.count
            case .stored(let region, _): return (parts + [.region(region)], true)
            case .made(let chunk): return (parts + [.bytes(chunk.bytes)], true)
            }
        }
        return (parts, false)
    }

    private func cachedChunk(
        of pages: PageList
    ) throws(StorageError) -> (chunk: ImageChunk, pageCount: Int)? {
        let first = Int(pages.page(at: next)) - 1
        let index = first / ImageLayout.chunkPageCount
        guard first % ImageLayout.chunkPageCount == 0,
            let chunkPages = snapshot.pages(ofChunk: index), pages.has(chunkPages, at: next)
        else { return nil }
        let chunk = try snapshot.chunk(index, encoding: .framed) {
            pages throws(StorageError) in
            let numbers = pages.map { PageNumber($0)! }
            let bytes = try FramedPages.read(numbers[...], from: snapshot)
            return EncodedChunk(bytes: bytes, source: .init(size: bytes.count))
        }
        return chunk.map { ($0, chunkPages.count) }
    }

    // MARK: pages read now

    private func liveBytes(
        of pages: PageList, head: [UInt8], _ maximumBytes: Int
    ) throws(StorageError) -> [UInt8] {
        let room = max(0, maximumBytes - head.count) / FramedPages.maximumFramedSize
        let wanted = head.isEmpty ? max(1, room) : room
        let count = min(pages.count - next, wanted, pagesBeforeChunk(of: pages))
        let slice = pages.slice(next..<next + count)
        next += count
        return try FramedPages.read(slice, from: snapshot, behind: head)
    }

    /// How many pages there are before the next whole chunk, which may be in the image.
    private func pagesBeforeChunk(of pages: PageList) -> Int {
        let index = (Int(pages.page(at: next)) - 1) / ImageLayout.chunkPageCount
        guard let chunk = snapshot.pages(ofChunk: index + 1) else { return .max }
        var count = 1
        while next + count < pages.count, pages.page(at: next + count) < chunk.lowerBound {
            count += 1
        }
        return pages.has(chunk, at: next + count) ? count : .max
    }
}
