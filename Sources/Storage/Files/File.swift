internal import CLinux
internal import Glibc
package import Primitives

/// An open file. The only place in `Storage` that makes system calls on files.
///
/// Closed when the last reference goes. Reads and writes name their offset, so threads may share
/// one.
package final class File: Sendable {
    static let diskFullCode = ENOSPC

    package let path: String
    let opened: OpenDescriptor
    private var descriptor: Int32 { opened.number }

    package enum Mode {
        case read, readWrite, create

        fileprivate var flags: Int32 {
            switch self {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT
            }
        }
    }

    package init(path: String, mode: Mode) throws(StorageError) {
        self.path = path
        opened = OpenDescriptor(
            try Self.call("open", path) { unsafe open(path, mode.flags | O_CLOEXEC, 0o600) })
    }

    private init(path: String, opened: OpenDescriptor) {
        self.path = path
        self.opened = opened
    }

    /// An empty file without a name, which goes with its last reference.
    init(unnamedIn directory: String) throws(StorageError) {
        path = "a file without a name"
        let unnamed = unsafe clinux_open_unnamed(directory)
        if unnamed >= 0 {
            opened = OpenDescriptor(unnamed)
            return
        }
        // Not all file systems can do that. What a crash leaves is removed with the next start.
        let name = "\(directory)/.unnamed-\(RandomIdentifier.uint64())"
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
        opened = OpenDescriptor(try Self.call("open", name) { unsafe open(name, flags, 0o600) })
        _ = try Self.call("unlink", name) { unsafe unlink(name) }
    }

    /// Bytes of the file system that are free for this process, and of how many.
    func freeSpace() throws(StorageError) -> (free: UInt64, total: UInt64) {
        var figures = statvfs()
        _ = try Self.call("fstatvfs", path) { unsafe fstatvfs(descriptor, &figures) }
        let blockSize = UInt64(figures.f_frsize)
        return (UInt64(figures.f_bavail) * blockSize, UInt64(figures.f_blocks) * blockSize)
    }

    /// The same open file under the name that it was given meanwhile.
    func known(as path: String) -> File { File(path: path, opened: opened) }

    package func size() throws(StorageError) -> Int64 { try status().size }

    /// Size in bytes and time of the last change of the content, in nanoseconds since 1970.
    package func status() throws(StorageError) -> (size: Int64, modified: Int64) {
        var status = stat()
        _ = try Self.call("fstat", path) { unsafe fstat(descriptor, &status) }
        return (
            Int64(status.st_size),
            Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        )
    }

    /// Fills `buffer` from `offset` on; the part beyond the end of the file becomes zeros.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(StorageError) {
        let count = try unsafe readAvailable(into: buffer, at: offset)
        guard count < buffer.count, let base = buffer.baseAddress else { return }
        unsafe memset(base + count, 0, buffer.count - count)
    }

    /// Reads until `buffer` is full or the file ends. Returns the number of bytes read.
    package func readAvailable(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(StorageError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = try Self.call("read", path) {
                unsafe Int(
                    pread(
                        descriptor, buffer.baseAddress! + done, buffer.count - done,
                        off_t(offset) + done))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Fills all of `vectors` in order with one system call where the file is long enough.
    ///
    /// - Returns: bytes read, fewer than the vectors hold at the end of the file.
    func readVectors(
        _ vectors: UnsafeMutableBufferPointer<iovec>, at offset: Int64
    ) throws(StorageError) -> Int {
        try Self.call("read", path) {
            unsafe Int(preadv(descriptor, vectors.baseAddress, Int32(vectors.count), off_t(offset)))
        }
    }

    /// Fills `bytes`; what lies beyond the end of the file becomes zeros.
    func readBytes(into bytes: inout [UInt8], at offset: Int64) throws(StorageError) {
        var failure: StorageError?
        unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(StorageError) { try unsafe read(into: buffer, at: offset) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    package func readAll() throws(StorageError) -> [UInt8] {
        let size = Int(try size())
        var bytes = [UInt8](repeating: 0, count: size)
        do {
            let count = try unsafe bytes.withUnsafeMutableBytes { buffer in
                try unsafe readAvailable(into: buffer, at: 0)
            }
            bytes.removeLast(size - count)
        } catch let error as StorageError {
            throw error
        } catch {
            preconditionFailure("reads throw storage errors only")
        }
        return bytes
    }

    package func write(
        _ bytes: UnsafeRawBufferPointer, at offset: Int64, for purpose: FilePurpose
    ) throws(StorageError) {
        switch FileOperationHook.outcome(
            .write, purpose, path, offset: offset, byteCount: bytes.count)
        {
        case .goesOn: try unsafe writeAll(bytes, at: offset)
        case .fails(let code): throw .file(operation: "write", path: path, code: code)
        case .isCutShort(let count, let code):
            try unsafe writeAll(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)), at: offset)
            throw .file(operation: "write", path: path, code: code)
        }
    }

    private func writeAll(
        _ bytes: UnsafeRawBufferPointer, at offset: Int64
    ) throws(StorageError) {
        var done = 0
        while done < bytes.count {
            done += try Self.call("write", path) {
                unsafe Int(
                    pwrite(
                        descriptor, bytes.baseAddress! + done, bytes.count - done,
                        off_t(offset) + done))
            }
        }
    }

    package func write(
        _ bytes: [UInt8], at offset: Int64, for purpose: FilePurpose
    ) throws(StorageError) {
        var failure: StorageError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(StorageError) { try unsafe write(buffer, at: offset, for: purpose) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    package func truncate(to size: Int64, for purpose: FilePurpose) throws(StorageError) {
        try Self.ask(.truncate, purpose, path)
        _ = try Self.call("truncate", path) { ftruncate(descriptor, off_t(size)) }
    }

    /// Makes the content durable. After an error nothing may be trusted that was written since
    /// the last success: a second flush that succeeds proves nothing.
    package func synchronize(for purpose: FilePurpose) throws(StorageError) {
        try Self.ask(.synchronize(withTimes: false), purpose, path)
        _ = try Self.call("fdatasync", path) { fdatasync(descriptor) }
    }

    /// `synchronize`, and the time of the last change with it.
    package func synchronizeWithTimes(for purpose: FilePurpose) throws(StorageError) {
        try Self.ask(.synchronize(withTimes: true), purpose, path)
        _ = try Self.call("fsync", path) { fsync(descriptor) }
    }

    /// Takes the lock bytes that SQLite uses, for as long as this file stays open: no other
    /// process can read or write the database through SQLite meanwhile. False if one does now.
    ///
    /// The lock belongs to the open file description, so closing other descriptors of the file
    /// does not drop it, as it would a POSIX lock.
    package func lockAgainstSQLite() throws(StorageError) -> Bool {
        // PENDING, RESERVED and the SHARED range: https://www.sqlite.org/src/file/src/os.h
        let (start, length): (Int64, Int64) = (0x4000_0000, 512)
        if clinux_ofd_lock_exclusive(descriptor, start, length) == 0 { return true }
        if errno == EAGAIN || errno == EACCES { return false }
        throw .file(operation: "lock", path: path, code: errno)
    }

    func unlockAgainstSQLite() {
        _ = clinux_ofd_unlock(descriptor, 0x4000_0000, 512)
    }

    /// Takes a whole-file lock that ends with the process. False if another process has it.
    package func lockWhole() throws(StorageError) -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw .file(operation: "lock", path: path, code: errno)
    }

    func unlockWhole() { _ = flock(descriptor, LOCK_UN) }

    static func ask(
        _ operation: FileOperationHook.Operation, _ purpose: FilePurpose, _ path: String
    ) throws(StorageError) {
        switch FileOperationHook.outcome(operation, purpose, path) {
        case .goesOn: return
        case .fails(let code), .isCutShort(_, let code):
            throw .file(operation: "\(operation)", path: path, code: code)
        }
    }

    /// Runs a system call again while a signal interrupts it.
    static func call<Result: FixedWidthInteger>(
        _ operation: String, _ path: String, _ body: () -> Result
    ) throws(StorageError) -> Result {
        while true {
            let result = body()
            if result >= 0 { return result }
            let code = errno
            if code == EINTR { continue }
            precondition(code != EBADF, "\(operation) on a closed descriptor")
            throw .file(operation: operation, path: path, code: code)
        }
    }
}
