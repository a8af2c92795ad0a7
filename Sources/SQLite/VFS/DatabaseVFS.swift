internal import CSQLite
internal import Glibc
internal import Synchronization

/// The VFS through which `Storage` opens databases: SQLite's `unix` one, except that the locks
/// and the wal-index stay inside the process (`SharedDatabaseFile`) and that writes to the WAL
/// are observed.
///
/// Files that are not registered (temporary files, statement journals) go straight to `unix`.
package enum DatabaseVFS {
    package static let name = "tidemark"

    private static let registry = Mutex<[String: SharedDatabaseFile]>([:])

    /// Registers the VFS with SQLite; later calls do nothing.
    package static func install() { _ = unsafe installation }

    /// Makes `path` a database that connections of this VFS may open.
    ///
    /// - Precondition: it is not registered.
    package static func register(_ file: SharedDatabaseFile) {
        install()
        registry.withLock { registry in
            precondition(registry[file.path] == nil, "a database file was opened twice")
            registry[file.path] = file
        }
    }

    package static func unregister(_ file: SharedDatabaseFile) {
        _ = registry.withLock { $0.removeValue(forKey: file.path) }
    }

    static func sharedFile(path: String) -> SharedDatabaseFile? {
        registry.withLock { $0[path] }
    }

    // SAFETY: written once, by the lazy initializer; SQLite keeps the pointer for ever and only
    // reads through it.
    nonisolated(unsafe) private static let installation: UnsafeMutablePointer<sqlite3_vfs> = {
        SQLiteLibrary.configure
        guard let unix = unsafe sqlite3_vfs_find("unix") else {
            preconditionFailure("SQLite was built without its unix VFS")
        }
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        unsafe vfs.initialize(to: unix.pointee)
        unsafe vfs.pointee.szOsFile = Int32(MemoryLayout<csqlite_file>.size) + unix.pointee.szOsFile
        unsafe vfs.pointee.pNext = nil
        unsafe vfs.pointee.zName = UnsafePointer(strdup(name))
        unsafe vfs.pointee.pAppData = UnsafeMutableRawPointer(unix)
        unsafe vfs.pointee.xOpen = { vfs, path, file, flags, outFlags in
            unsafe ObservedFile.open(
                vfs: vfs, path: path, file: file, flags: flags, outFlags: outFlags)
        }
        // The other methods take the VFS that they are called with; the unix one's look only at
        // fields that were copied, and its xOpen is given the real one.
        let code = unsafe sqlite3_vfs_register(vfs, 0)
        precondition(code == SQLITE_OK, "registering the VFS failed")
        return unsafe vfs
    }()

    static var unix: UnsafeMutablePointer<sqlite3_vfs>? {
        unsafe installation.pointee.pAppData?.assumingMemoryBound(to: sqlite3_vfs.self)
    }
}
