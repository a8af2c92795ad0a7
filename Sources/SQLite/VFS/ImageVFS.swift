internal import CSQLite
internal import Glibc
internal import Synchronization

/// The VFS of databases that are no files: each connection reads the pages of its own
/// `PageSource`, and nothing can be written anywhere.
///
/// There is no journal, no WAL, no temporary file and no lock: SQLite is told that the file is
/// immutable.
enum ImageVFS {
    static let name = "tidemark-image"

    /// Sources of connections that are just being opened, by the path that SQLite opens.
    private static let offers = Mutex(Offers())

    private struct Offers {
        var count: UInt64 = 0
        var sources: [String: Offer] = [:]
    }

    // @unchecked: the thread that opens the connection makes the offer and takes it up.
    private struct Offer: @unchecked Sendable { let source: any PageSource }

    /// Runs `open` with a path under which the VFS opens `source`, only meanwhile.
    static func withPath(
        to source: any PageSource, _ open: (String) throws(SQLiteError) -> Connection
    ) throws(SQLiteError) -> Connection {
        _ = unsafe installation
        let offer = Offer(source: source)
        let path = offers.withLock { offers in
            offers.count += 1
            let path = "image-\(offers.count)"
            offers.sources[path] = offer
            return path
        }
        defer { _ = offers.withLock { $0.sources.removeValue(forKey: path) } }
        return try open(path)
    }

    // SAFETY: written once, by the lazy initializer; SQLite keeps the pointer for ever and only
    // reads through it. Clock, random bytes and sleep are the unix VFS's; they look at none of
    // the fields that are replaced.
    nonisolated(unsafe) private static let installation: UnsafeMutablePointer<sqlite3_vfs> = {
        SQLiteLibrary.configure
        guard let unix = unsafe sqlite3_vfs_find("unix") else {
            preconditionFailure("SQLite was built without its unix VFS")
        }
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        unsafe vfs.initialize(to: unix.pointee)
        unsafe vfs.pointee.szOsFile = Int32(MemoryLayout<csqlite_file>.size)
        unsafe vfs.pointee.pNext = nil
        unsafe vfs.pointee.zName = UnsafePointer(strdup(name))
        unsafe vfs.pointee.xOpen = { _, path, file, flags, outFlags in
            unsafe ImageVFS.open(path: path, file: file, flags: flags, outFlags: outFlags)
        }
        unsafe vfs.pointee.xDelete = { _, _, _ in SQLITE_READONLY }
        unsafe vfs.pointee.xAccess = { _, _, _, result in
            unsafe result?.pointee = 0
            return SQLITE_OK
        }
        unsafe vfs.pointee.xFullPathname = { _, path, size, result in
            guard let path = unsafe path, let result = unsafe result,
                unsafe strlen(path) < Int(size)
            else { return SQLITE_CANTOPEN }
            unsafe strcpy(result, path)
            return SQLITE_OK
        }
        unsafe vfs.pointee.xDlOpen = { _, _ in nil }
        let code = unsafe sqlite3_vfs_register(vfs, 0)
        precondition(code == SQLITE_OK, "registering the VFS failed")
        return unsafe vfs
    }()

    private static func open(
        path: UnsafePointer<CChar>?, file: UnsafeMutablePointer<sqlite3_file>?, flags: Int32,
        outFlags: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        guard let file = unsafe file else { return SQLITE_CANTOPEN }
        unsafe file.pointee.pMethods = nil
        guard flags & SQLITE_OPEN_MAIN_DB != 0, let path = unsafe path,
            let offer = offers.withLock({ $0.sources[unsafe String(cString: path)] })
        else { return SQLITE_CANTOPEN }
        let ours = unsafe UnsafeMutableRawPointer(file).assumingMemoryBound(to: csqlite_file.self)
        unsafe ours.pointee.real = nil
        unsafe ours.pointee.context =
            Unmanaged.passRetained(ImageFile(source: offer.source)).toOpaque()
        unsafe ours.pointee.base.pMethods = UnsafePointer(ImageFileMethods.table)
        unsafe outFlags?.pointee = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB
        return SQLITE_OK
    }
}
