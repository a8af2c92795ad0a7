internal import CLinux
internal import Execution
internal import Glibc
internal import Primitives

/// A file without a name, to which chunks are appended. Nothing in it ever changes, so parts of it
/// can be sent from where they are while it grows.
///
/// One thread at a time appends. The room it takes is given back when the last part was sent.
final class ImageFile: Sendable {
    private let file: File
    private let workers: WorkerPool
    private let cache: PageCache
    /// Guarded by the image that appends.
    nonisolated(unsafe) private(set) var size: Int64 = 0

    init(directory: String, workers: WorkerPool, cache: PageCache) throws(StorageError) {
        file = try File(unnamedIn: directory)
        self.workers = workers
        self.cache = cache
    }

    deinit {
        cache.release(unsafe size)
        // To give up a gigabyte of page cache takes a while, and this may be an event loop.
        workers.submit { [file] in withExtendedLifetime(file) {} }
    }

    /// The part of the file that holds `bytes` now.
    func append(_ bytes: [UInt8]) throws(StorageError) -> FileRegion {
        let offset = unsafe size
        try file.write(bytes, at: offset, for: .pageCache)
        unsafe size = offset + Int64(bytes.count)
        return FileRegion(
            descriptor: file.opened, offset: offset, count: bytes.count, owner: self)
    }

    /// Waits until a part is in the page cache, as it mostly is: an event loop is to send it, and
    /// must not wait for the disk.
    static func prepare(_ region: FileRegion) {
        let (descriptor, offset) = (region.descriptor.number, off_t(region.offset))
        let last = offset + off_t(region.count) - 1
        // What was written together is given up together, or nearly so.
        if clinux_is_cached(descriptor, Int64(offset)), clinux_is_cached(descriptor, Int64(last)) {
            return
        }
        posix_fadvise(descriptor, offset, off_t(region.count), POSIX_FADV_WILLNEED)
        var byte: UInt8 = 0
        _ = unsafe pread(descriptor, &byte, 1, last)
    }

    /// Bytes of the file system that are free, and of how many.
    func freeSpace() throws(StorageError) -> (free: UInt64, total: UInt64) {
        try file.freeSpace()
    }
}
