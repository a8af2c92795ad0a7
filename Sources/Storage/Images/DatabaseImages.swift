internal import Primitives
internal import Synchronization

/// The images of one open database, one for each encoding.
final class DatabaseImages: Sendable {
    private let cache: PageCache
    private let images: [PageImage]
    private let isClosed = Atomic(false)

    init(cache: PageCache) {
        self.cache = cache
        images = ImageEncoding.allCases.map { _ in PageImage(cache: cache) }
    }

    deinit { close() }

    /// Nil if nothing is kept.
    subscript(encoding: ImageEncoding) -> PageImage? {
        guard cache.isOn, !isClosed.load(ordering: .acquiring) else { return nil }
        return images[encoding.rawValue]
    }

    /// Bytes on disk.
    var size: Int64 { images.reduce(0) { $0 + $1.size } }

    /// Gives up everything. What an answer under way still adds goes with the database.
    func close() {
        isClosed.store(true, ordering: .releasing)
        for image in images { cache.remove(image) }
    }
}

/// Pages of an image that belong together.
package enum ImageLayout {
    /// In pages. One megabyte: large enough that asking for it costs little, and small enough that
    /// one commit makes little stale.
    package static let chunkPageCount = 256
    /// Databases of fewer pages are not worth a file.
    package static let minimumPageCount = 32
}

extension Snapshot {
    /// A chunk of pages, from the image if it is there and shows this state; else `make` makes it,
    /// and it is kept for others. Nil if the pages have to be read: they changed meanwhile, or
    /// nothing is kept.
    ///
    /// - Parameters:
    ///   - index: of the chunk, from 0.
    ///   - make: encodes these pages as they are in this snapshot.
    package func chunk(
        _ index: Int, encoding: ImageEncoding,
        make: (ClosedRange<UInt32>) throws(StorageError) -> EncodedChunk
    ) throws(StorageError) -> ImageChunk? {
        guard let pages = pages(ofChunk: index), let image = database.images[encoding],
            let version = database.lastChange(in: pages), version <= revision.commit
        else { return nil }
        return try image.chunk(
            .init(index: index, pageCount: pages.count, version: version)
        ) { () throws(StorageError) in try make(pages) }
    }

    /// Numbers of the pages of a chunk; nil if it has none, or this is no plain view of a commit.
    package func pages(ofChunk index: Int) -> ClosedRange<UInt32>? {
        let first = index * ImageLayout.chunkPageCount + 1
        guard isPlain, databaseSize >= ImageLayout.minimumPageCount, first <= Int(databaseSize)
        else { return nil }
        let last = min(first + ImageLayout.chunkPageCount - 1, Int(databaseSize))
        return UInt32(first)...UInt32(last)
    }
}

extension Database {
    /// The newest commit that changed one of these pages, durable or not; 0 if none did since
    /// anybody knows. Nil if the database is being closed.
    fileprivate func lastChange(in pages: ClosedRange<UInt32>) -> CommitNumber? {
        state.withLock { state in
            guard state.closing == nil else { return nil }
            return state.books.changes.lastChange(in: pages)
        }
    }
}
