internal import CSQLite
internal import Glibc
internal import Primitives

/// The main file of a connection to a `PageSource`. One thread uses it as long as it is open.
final class ImageFile {
    private let source: any PageSource
    /// Asked at each read whether to go on: the progress callback does not run inside of an
    /// integrity check.
    weak var connection: Connection?
    /// The highest address of the stack that a read came from; the stack grows down.
    private var shallowestRead: UInt = 0
    /// An integrity check recurses once for each level that a tree claims to have, without a
    /// bound of its own. A sound one has 20 at most and takes a tenth of this. In bytes.
    private static let maximumStackSize: UInt = 192 << 10

    init(source: any PageSource) { self.source = source }

    /// In bytes.
    var size: Int64 { Int64(source.databaseSize) * Int64(pageSize) }

    /// SQLite reads whole pages, and parts of page 1 before it knows their size. Beyond the end
    /// are zeros, and SQLite is told so.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int32 {
        if let connection, connection.mustInterrupt() { connection.interrupt() }
        guard isStackShallow() else { return SQLITE_CORRUPT }
        var done = 0
        while done < buffer.count {
            let position = offset + Int64(done)
            guard position < size else {
                unsafe memset(buffer.baseAddress! + done, 0, buffer.count - done)
                return Int32(CSQLITE_IOERR_SHORT_READ)
            }
            let start = Int(position % Int64(pageSize))
            let count = min(pageSize - start, buffer.count - done)
            let part = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[done..<done + count])
            do throws(SQLiteError) {
                try unsafe read(UInt32(position / Int64(pageSize)) + 1, from: start, into: part)
            } catch {
                return error.extendedCode == SQLITE_OK
                    ? Int32(CSQLITE_IOERR_READ) : error.extendedCode
            }
            done += count
        }
        return SQLITE_OK
    }

    private func isStackShallow() -> Bool {
        var marker: UInt8 = 0
        let here = unsafe withUnsafeMutablePointer(to: &marker) { UInt(bitPattern: $0) }
        shallowestRead = max(shallowestRead, here)
        return shallowestRead - here <= Self.maximumStackSize
    }

    private func read(
        _ page: UInt32, from start: Int, into part: UnsafeMutableRawBufferPointer
    ) throws(SQLiteError) {
        if part.count == pageSize {
            try unsafe source.read(page: page, into: part)
        } else {
            let content = try source.page(page)
            unsafe part.copyBytes(from: content[start..<start + part.count])
        }
        guard page == 1 else { return }
        // The versions of the file format: 2 would make SQLite look for a WAL.
        for version in 18...19 where (start..<start + part.count).contains(version) {
            unsafe part[version - start] = 1
        }
    }
}

/// The table of C functions that SQLite calls for an `ImageFile`.
enum ImageFileMethods {
    // SAFETY: written once by the lazy initializer, read by SQLite for ever.
    nonisolated(unsafe) static let table: UnsafeMutablePointer<sqlite3_io_methods> = {
        let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        var methods = sqlite3_io_methods()
        // Version 1: no shared memory, so no WAL, and no memory-mapped reads.
        methods.iVersion = 1
        unsafe methods.xClose = { file in
            let context = unsafe container(file).pointee.context!
            unsafe Unmanaged<ImageFile>.fromOpaque(context).release()
            return SQLITE_OK
        }
        unsafe methods.xRead = { file, bytes, count, offset in
            guard let bytes = unsafe bytes, count >= 0, offset >= 0 else { return SQLITE_MISUSE }
            return unsafe image(container(file)).read(
                into: UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)), at: offset)
        }
        unsafe methods.xWrite = { _, _, _, _ in SQLITE_READONLY }
        unsafe methods.xTruncate = { _, _ in SQLITE_READONLY }
        unsafe methods.xSync = { _, _ in SQLITE_OK }
        unsafe methods.xFileSize = { file, size in
            unsafe size?.pointee = image(container(file)).size
            return SQLITE_OK
        }
        unsafe methods.xLock = { _, _ in SQLITE_OK }
        unsafe methods.xUnlock = { _, _ in SQLITE_OK }
        unsafe methods.xCheckReservedLock = { _, result in
            unsafe result?.pointee = 0
            return SQLITE_OK
        }
        unsafe methods.xFileControl = { _, _, _ in SQLITE_NOTFOUND }
        unsafe methods.xSectorSize = { _ in Int32(pageSize) }
        unsafe methods.xDeviceCharacteristics = { _ in SQLITE_IOCAP_IMMUTABLE }
        unsafe table.initialize(to: methods)
        return unsafe table
    }()

    /// The object behind an open file; nil if another VFS opened it.
    static func imageFile(_ file: UnsafeMutablePointer<sqlite3_file>?) -> ImageFile? {
        guard let file = unsafe file, unsafe file.pointee.pMethods == UnsafePointer(table) else {
            return nil
        }
        return unsafe image(container(file))
    }
}

// Free functions: a C function pointer may not capture even a metatype.

private func container(
    _ file: UnsafeMutablePointer<sqlite3_file>?
) -> UnsafeMutablePointer<csqlite_file> {
    unsafe UnsafeMutableRawPointer(file!).assumingMemoryBound(to: csqlite_file.self)
}

private func image(_ file: UnsafeMutablePointer<csqlite_file>) -> ImageFile {
    unsafe Unmanaged<ImageFile>.fromOpaque(file.pointee.context).takeUnretainedValue()
}
