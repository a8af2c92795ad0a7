internal import Primitives
internal import Synchronization

/// The pages of one database in one encoding, as far as somebody asked for them.
///
/// Safe to use from any thread; what makes a chunk runs on the caller's.
final class PageImage: Sendable {
    private typealias Table = ChunkTable<(region: FileRegion, source: EncodedChunk.Source)>

    private let cache: PageCache
    private let table = Mutex(Table())
    /// Held while a chunk is appended; taken before `table` where both are.
    private let file = Mutex<ImageFile?>(nil)
    /// A chunk that several ask for at a time is made once: the others wait for the thread that
    /// makes it. Chunks share these locks.
    private let makers: [Maker]

    private final class Maker: Sendable {
        let lock = Mutex(())
    }

    init(cache: PageCache) {
        self.cache = cache
        makers = (0..<8).map { _ in Maker() }
    }

    func chunk(
        _ key: ChunkTable<Void>.Key, make: () throws(StorageError) -> EncodedChunk
    ) throws(StorageError) -> ImageChunk {
        let key = Table.Key(index: key.index, pageCount: key.pageCount, version: key.version)
        if let found = find(key) { return found }
        var result: Result<ImageChunk, StorageError>?
        makers[key.index % makers.count].lock.withLock { _ in
            do throws(StorageError) {
                if let found = find(key) {
                    result = .success(found)
                } else {
                    result = .success(store(try make(), for: key))
                }
            } catch {
                result = .failure(error)
            }
        }
        guard let result else { preconditionFailure("the lock ran nothing") }
        return try result.get()
    }

    private func find(_ key: Table.Key) -> ImageChunk? {
        cache.noteUse(of: self)
        let content = table.withLock { $0.content(of: key) }
        guard let (region, source) = content else { return nil }
        cache.count(hit: true)
        ImageFile.prepare(region)
        return .found(region, source)
    }

    private func store(_ chunk: EncodedChunk, for key: Table.Key) -> ImageChunk {
        cache.count(hit: false)
        guard cache.reserve(chunk.bytes.count, for: self) else { return .made(chunk) }
        let result = file.withLock { file -> Result<FileRegion?, StorageError> in
            do throws(StorageError) {
                return .success(try append(chunk, for: key, to: &file))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let region?): return .stored(region, chunk.source)
        case .success(nil): cache.release(Int64(chunk.bytes.count))
        case .failure(let error):
            cache.release(Int64(chunk.bytes.count))
            cache.failed(error)
        }
        return .made(chunk)
    }

    /// Nil if the disk is too full.
    private func append(
        _ chunk: EncodedChunk, for key: Table.Key, to file: inout ImageFile?
    ) throws(StorageError) -> FileRegion? {
        // What is stale cannot be found any more but takes room: a file is given up when that is
        // the larger part, so a byte is written twice at most for each one that is new.
        let liveSize = table.withLock { $0.liveSize }
        if let size = unsafe file?.size, size > 2 * Int64(liveSize) + cache.slack {
            table.withLock { $0.removeAll() }
            file = nil
        }
        let current: ImageFile
        if let file { current = file } else { current = try cache.makeFile() }
        file = current
        guard try cache.hasRoomOnDisk(current) else { return nil }
        let region = try current.append(chunk.bytes)
        table.withLock { $0.insert((region, chunk.source), size: region.count, for: key) }
        return region
    }

    /// Bytes on disk.
    var size: Int64 { file.withLock { unsafe $0?.size ?? 0 } }

    /// Forgets all chunks. What is being sent of them stays until it is sent.
    func removeAll() {
        let old = file.withLock { file -> ImageFile? in
            table.withLock { $0.removeAll() }
            defer { file = nil }
            return file
        }
        withExtendedLifetime(old) {}
    }
}
