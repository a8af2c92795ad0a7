package import Codecs
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
    private let format: PageFormat
    private var encoder: PageEncoder
    private let listPages: @Sendable () -> PageList
    /// Listed by the first piece, so on a worker: the list may be long.
    private var pages: PageList?
    private var next = 0
    private let willEnd: @Sendable () throws(StorageError) -> Void
    private let onClose: (@Sendable (_ isComplete: Bool) -> Void)?

    /// Bytes of files that are given out at a time, about.
    private static let regionPieceSize = 16 << 20

    /// - Parameters:
    ///   - header: the framed header message.
    ///   - format: of what comes behind it, and of all if it is a coding of the whole body.
    ///   - willEnd: called before the last piece is handed out; if it fails, that piece is not.
    ///   - onClose: called once, when the stream is let go of. The client is then known to have
    ///     taken most of it, so the stream does not say beforehand that it is at its end.
    ///   - listPages: the pages to send. Called by the first piece.
    package init(
        lease: DatabaseLease, snapshot: Snapshot, header: [UInt8], format: PageFormat = .framed,
        willEnd: @escaping @Sendable () throws(StorageError) -> Void = {},
        onClose: (@Sendable (_ isComplete: Bool) -> Void)? = nil,
        pages listPages: @escaping @Sendable () -> PageList
    ) {
        self.lease = lease
        self.snapshot = snapshot
        self.header = header
        self.format = format
        encoder = PageEncoder(format)
        self.listPages = listPages
        self.willEnd = willEnd
        self.onClose = onClose
    }

    /// What the whole body is compressed with.
    package var coding: ContentCoding? {
        if case .coded(let coding, _) = format { coding } else { nil }
    }

    /// The next piece of about `maximumBytes` in memory, at least one message, or a few megabytes
    /// of files; nil at the end.
    package func nextPiece(maximumBytes: Int) throws(StorageError) -> [Part]? {
        let pages = self.pages ?? listPages()
        self.pages = pages
        let head = header
        guard head != nil || next < pages.count else { return nil }
        header = nil
        var parts: [Part] = []
        if let head, hasImage(of: pages) {
            // By itself, since what comes next may be there already.
            parts.append(.bytes(try encoder.piece(of: [], from: snapshot, behind: head)))
        }
        if head == nil || !parts.isEmpty { parts += try cachedParts(of: pages) }
        if parts.isEmpty {
            parts = [.bytes(try liveBytes(of: pages, head: head ?? [], maximumBytes))]
        }
        guard next == pages.count else { return parts }
        let end = encoder.finish()
        if !end.isEmpty { parts.append(.bytes(end)) }
        try willEnd()
        return parts
    }

    /// No piece is left, and nobody needs to see that the last one was taken.
    package var isAtEnd: Bool { onClose == nil && header == nil && next == pages?.count }

    /// All of it, if that is few pages; nil, and nothing has happened, if it is more.
    package func wholeBody(maximumPageCount: Int) throws(StorageError) -> [UInt8]? {
        let pages = self.pages ?? listPages()
        self.pages = pages
        guard onClose == nil, let head = header, pages.count <= maximumPageCount else {
            return nil
        }
        header = nil
        next = pages.count
        // Read, even where there is an image: its parts of files are no bytes.
        let body = try encoder.piece(of: pages.slice(0..<pages.count), from: snapshot, behind: head)
        let end = encoder.finish()
        try willEnd()
        return body + end
    }

    /// Lets go of the snapshot. Call once.
    package func close() {
        snapshot.release()
        onClose?(header == nil && next == pages?.count)
    }

    // MARK: pages from the image

    /// The chunks that come next, as far as they are there. One that has to be made ends the
    /// piece, so that the client does not wait for several.
    private func cachedParts(of pages: PageList) throws(StorageError) -> [Part] {
        var parts: [Part] = []
        var size = 0
        while next < pages.count, size < Self.regionPieceSize {
            guard let (chunk, pageCount) = try cachedChunk(of: pages) else { break }
            next += pageCount
            let start = encoder.begin(chunk.source)
            if !start.isEmpty { parts.append(.bytes(start)) }
            switch chunk {
            case .found(let region, _):
                parts.append(.region(region))
                size += region.count
            case .stored(let region, _): return parts + [.region(region)]
            case .made(let chunk): return parts + [.bytes(chunk.bytes)]
            }
        }
        return parts
    }

    private func hasImage(of pages: PageList) -> Bool {
        format.imageEncoding != nil && next < pages.count && wholeChunk(of: pages, at: next) != nil
    }

    private func cachedChunk(
        of pages: PageList
    ) throws(StorageError) -> (chunk: ImageChunk, pageCount: Int)? {
        guard let encoding = format.imageEncoding, let wanted = wholeChunk(of: pages, at: next)
        else { return nil }
        let chunk = try snapshot.chunk(wanted.index, encoding: encoding) {
            pages throws(StorageError) in
            try encoder.chunk(of: pages.map { PageNumber($0)! }[...], from: snapshot)
        }
        return chunk.map { ($0, wanted.pageCount) }
    }

    /// The chunk that begins at this place of the list, if all of its pages are listed.
    private func wholeChunk(of pages: PageList, at place: Int) -> (index: Int, pageCount: Int)? {
        let first = Int(pages.page(at: place)) - 1
        let index = first / ImageLayout.chunkPageCount
        guard first % ImageLayout.chunkPageCount == 0,
            let chunk = snapshot.pages(ofChunk: index), pages.has(chunk, at: place)
        else { return nil }
        return (index, chunk.count)
    }

    // MARK: pages read now

    private func liveBytes(
        of pages: PageList, head: [UInt8], _ maximumBytes: Int
    ) throws(StorageError) -> [UInt8] {
        let room = encoder.pageCount(in: max(0, maximumBytes - head.count))
        let wanted = head.isEmpty ? max(1, room) : room
        let count = min(pages.count - next, wanted, pagesBeforeChunk(of: pages))
        let slice = pages.slice(next..<next + count)
        next += count
        return try encoder.piece(of: slice, from: snapshot, behind: head)
    }

    /// How many pages there are before the next whole chunk, which may be in the image.
    private func pagesBeforeChunk(of pages: PageList) -> Int {
        guard next < pages.count else { return 0 }
        let index = (Int(pages.page(at: next)) - 1) / ImageLayout.chunkPageCount
        guard let chunk = snapshot.pages(ofChunk: index + 1) else { return .max }
        var count = 1
        while next + count < pages.count, pages.page(at: next + count) < chunk.lowerBound {
            count += 1
        }
        return pages.has(chunk, at: next + count) ? count : .max
    }
}
