package import Codecs
internal import Primitives
internal import Storage

/// How the pages of an answer travel.
package enum PageFormat: Sendable {
    case framed
    /// Framed, and the whole body compressed for HTTP.
    case coded(ContentCoding, level: Int)
    /// Framed, each page compressed by itself: the wire's own encoding.
    case compressedPages(level: Int, dictionary: PageDictionary?)

    /// Where chunks of pages are kept; nil for what is made for one client.
    var imageEncoding: ImageEncoding? {
        switch self {
        case .framed: .framed
        case .coded(.zstd, _): .framedZstd
        case .coded(.gzip, _): .framedGzip
        case .compressedPages(_, let dictionary): dictionary == nil ? .pageZstd : nil
        }
    }
}

/// Encodes the pages of one answer, piece by piece.
struct PageEncoder {
    private let format: PageFormat
    private var content: ContentEncoder?
    private var dictionary: ZstdDictionary?

    init(_ format: PageFormat) {
        self.format = format
        if case .coded(let coding, let level) = format {
            content = ContentEncoder(coding, level: level)
        }
    }

    /// What of pages is encoded at a time if a piece has at most about `maximumBytes`. Compressed
    /// pieces are larger, since each begins knowing nothing; what is left of one is small.
    func pageCount(in maximumBytes: Int) -> Int {
        let wanted = maximumBytes / FramedPages.maximumFramedSize
        if case .framed = format { return wanted }
        return max(wanted, ImageLayout.chunkPageCount)
    }

    /// A chunk of an image, which other answers may have, too.
    func chunk(
        of pages: ArraySlice<PageNumber>, from snapshot: Snapshot
    ) throws(StorageError) -> EncodedChunk {
        switch format {
        case .framed:
            let bytes = try FramedPages.read(pages, from: snapshot)
            return EncodedChunk(bytes: bytes, source: .init(size: bytes.count))
        case .coded(let coding, let level):
            let bytes = try FramedPages.read(pages, from: snapshot)
            let piece = try Self.compressing { () throws(CompressionError) in
                try ContentEncoder.piece(of: bytes, coding: coding, level: level)
            }
            return EncodedChunk(
                bytes: piece.bytes,
                source: .init(size: piece.sourceSize, checksum: piece.checksum))
        case .compressedPages(let level, _):
            let bytes = try FramedPages.compressed(
                pages, from: snapshot, behind: [], level: level, dictionary: nil)
            return EncodedChunk(bytes: bytes, source: .init(size: bytes.count))
        }
    }

    /// Bytes that come before a chunk of an image.
    mutating func begin(_ source: EncodedChunk.Source) -> [UInt8] {
        content?.append(sourceSize: source.size, checksum: source.checksum) ?? []
    }

    /// A piece made for this answer alone.
    mutating func piece(
        of pages: ArraySlice<PageNumber>, from snapshot: Snapshot, behind head: [UInt8]
    ) throws(StorageError) -> [UInt8] {
        if case .compressedPages(let level, let source) = format {
            if let source, dictionary == nil {
                dictionary = try Self.dictionary(source, level: level)
            }
            return try FramedPages.compressed(
                pages, from: snapshot, behind: head, level: level, dictionary: dictionary)
        }
        let bytes = try FramedPages.read(pages, from: snapshot, behind: head)
        guard let content else { return bytes }
        let piece = try Self.compressing { () throws(CompressionError) in
            try content.piece(of: bytes)
        }
        let start = begin(.init(size: piece.sourceSize, checksum: piece.checksum))
        return start + piece.bytes
    }

    /// The end of the body.
    mutating func finish() -> [UInt8] { content?.finish() ?? [] }

    private static func dictionary(
        _ source: PageDictionary, level: Int
    ) throws(StorageError) -> ZstdDictionary {
        var content: [UInt8] = []
        for page in source.pages { content += try source.snapshot.page(page) }
        return try compressing { () throws(CompressionError) in
            try ZstdDictionary(content, level: level)
        }
    }

    static func compressing<Result>(
        _ work: () throws(CompressionError) -> Result
    ) throws(StorageError) -> Result {
        do throws(CompressionError) { return try work() } catch { throw .outOfMemory }
    }
}
