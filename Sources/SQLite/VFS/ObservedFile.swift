internal import CSQLite
internal import Glibc
internal import Primitives

/// A main database file or WAL that SQLite opened through `DatabaseVFS`.
///
/// SQLite allocates `szOsFile` bytes: a `csqlite_file`, whose `context` retains this object, and
/// behind it the `unix` VFS's own file, to which everything but locks goes.
final class ObservedFile {
    enum Kind { case main, wal }

    let kind: Kind
    let shared: SharedDatabaseFile
    /// Lock levels of the rollback protocol: 0 NONE, 1 SHARED, 2 RESERVED, 3 PENDING, 4 EXCLUSIVE.
    private var fileLock: Int32 = 0
    private var sharedMask: UInt16 = 0
    private var exclusiveMask: UInt16 = 0
    private var isAttached = false
    /// The main file of a WAL's connection; nil for the main file itself.
    private let mainFile: ObservedFile?
    /// Told what is read; set for the main file, and used for its WAL, which SQLite opens later.
    var trace: PageReadTrace?

    private init(kind: Kind, shared: SharedDatabaseFile, mainFile: ObservedFile?) {
        self.kind = kind
        self.shared = shared
        self.mainFile = mainFile
    }

    // MARK: opening

    static func open(
        vfs: UnsafeMutablePointer<sqlite3_vfs>?, path: UnsafePointer<CChar>?,
        file: UnsafeMutablePointer<sqlite3_file>?, flags: Int32,
        outFlags: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        guard let unix = unsafe DatabaseVFS.unix, let unixOpen = unsafe unix.pointee.xOpen,
            let file = unsafe file
        else {
            return SQLITE_CANTOPEN
        }
        guard let path = unsafe path,
            let found = unsafe sharedFile(for: String(cString: path), flags: flags)
        else {
            // A database that was closed meanwhile must not be opened past its locks.
            guard flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL) == 0 else {
                unsafe file.pointee.pMethods = nil
                return SQLITE_CANTOPEN
            }
            // Nothing of ours: the unix VFS takes the whole allocation, which is large enough.
            return unsafe unixOpen(unix, path, file, flags, outFlags)
        }
        let raw = UnsafeMutableRawPointer(file)
        let real = unsafe (raw + MemoryLayout<csqlite_file>.size).assumingMemoryBound(
            to: sqlite3_file.self)
        let code = unsafe unixOpen(unix, path, real, flags, outFlags)
        let ours = unsafe raw.assumingMemoryBound(to: csqlite_file.self)
        unsafe ours.pointee.base.pMethods = nil
        guard code == SQLITE_OK else { return code }
        unsafe ours.pointee.real = real
        unsafe ours.pointee.context = Unmanaged.passRetained(
            ObservedFile(
                kind: found.kind, shared: found.shared,
                mainFile: found.kind == .wal ? unsafe mainFile(ofWAL: path) : nil)
        ).toOpaque()
        unsafe ours.pointee.base.pMethods = UnsafePointer(ObservedFileMethods.table)
        return SQLITE_OK
    }

    private static func sharedFile(
        for path: String, flags: Int32
    ) -> (kind: Kind, shared: SharedDatabaseFile)? {
        if flags & SQLITE_OPEN_MAIN_DB != 0, let shared = DatabaseVFS.sharedFile(path: path) {
            return (.main, shared)
        }
        if flags & SQLITE_OPEN_WAL != 0, path.hasSuffix("-wal"),
            let shared = DatabaseVFS.sharedFile(path: String(path.dropLast(4)))
        {
            return (.wal, shared)
        }
        return nil
    }

    /// - Parameter path: the very pointer that SQLite opens the WAL with: the main file is found
    ///   by it.
    private static func mainFile(ofWAL path: UnsafePointer<CChar>) -> ObservedFile? {
        unsafe ObservedFileMethods.observedFile(sqlite3_database_file_object(path))
    }

    /// Gives back what this file still holds; SQLite closes files without unlocking after errors.
    func close() {
        if isAttached { unmapSharedMemory() }
        _ = unlockFile(to: 0)
    }

    // MARK: what SQLite reads

    /// Tells the trace, if there is one, which page was read. SQLite reads a page of the WAL
    /// alone, behind the header of its frame; recovery reads whole frames, and is not traced.
    ///
    /// - Parameter real: the file itself, for the page's number in the frame's header.
    func observeRead(count: Int32, offset: Int64, real: UnsafeMutablePointer<sqlite3_file>) {
        guard let trace = mainFile?.trace ?? trace else { return }
        guard kind == .wal else { return trace.mainFileRead(count: count, offset: offset) }
        guard offset >= 56, (offset - 56) % 4120 == 0, count <= 4096 else { return }
        var page: UInt32 = 0
        let code = unsafe real.pointee.pMethods.pointee.xRead(real, &page, 4, offset - 24)
        if code == SQLITE_OK { trace.record(UInt32(bigEndian: page)) }
    }

    // MARK: what SQLite writes to the WAL

    /// SQLite writes the 32-byte WAL header, and for each frame its 24-byte header and then its
    /// page, as writes of their own (https://www.sqlite.org/fileformat2.html#walformat).
    func observeWrite(_ bytes: UnsafeRawPointer, count: Int32, offset: Int64) {
        guard kind == .wal, let observer = shared.observer else { return }
        func bigEndian(at index: Int) -> UInt32 {
            unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self))
        }
        if offset == 0 && count == 32 {
            observer.walHeaderWritten(salt1: bigEndian(at: 16), salt2: bigEndian(at: 20))
        } else if count == 24 && offset >= 32 && (offset - 32) % 4120 == 0 {
            observer.walFrameWritten(
                number: UInt32((offset - 32) / 4120) + 1, page: bigEndian(at: 0),
                databaseSize: bigEndian(at: 4))
        }
    }

    // MARK: the file's lock

    func lockFile(to level: Int32) -> Int32 {
        guard level > fileLock else { return SQLITE_OK }
        guard shared.raiseFileLock(from: fileLock, to: level) else { return SQLITE_BUSY }
        fileLock = level
        return SQLITE_OK
    }

    func unlockFile(to level: Int32) -> Int32 {
        guard level < fileLock else { return SQLITE_OK }
        shared.lowerFileLock(from: fileLock, to: level)
        fileLock = level
        return SQLITE_OK
    }

    // MARK: the wal-index

    func mapSharedMemory(
        region: Int32, size: Int32, extend: Bool,
        into pointer: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> Int32 {
        guard size == SharedDatabaseFile.regionSize else { return ioErrorSharedMemory }
        if !isAttached {
            isAttached = true
            shared.connectionAttached()
        }
        unsafe pointer.pointee = shared.mapRegion(Int(region), extend: extend)
        return SQLITE_OK
    }

    func lockSharedMemory(offset: Int32, count: Int32, flags: Int32) -> Int32 {
        let range = Int(offset)..<Int(offset + count)
        precondition(range.lowerBound >= 0 && range.upperBound <= SharedDatabaseFile.lockCount)
        let mask = range.reduce(UInt16(0)) { $0 | 1 << UInt16($1) }
        if flags & SQLITE_SHM_UNLOCK != 0 {
            if exclusiveMask & mask == mask {
                if range.contains(SharedDatabaseFile.writeLock) {
                    shared.observer?.walWriteEnds(
                        lastFrame: shared.walIndexHeader()?.lastFrame ?? 0)
                }
                shared.unlockExclusive(range)
                exclusiveMask &= ~mask
            } else if sharedMask & mask == mask {
                shared.unlockShared(range)
                sharedMask &= ~mask
            }
            return SQLITE_OK
        }
        if flags & SQLITE_SHM_SHARED != 0 {
            if sharedMask & mask != 0 { return SQLITE_OK }
            guard shared.lockShared(range) else { return SQLITE_BUSY }
            sharedMask |= mask
        } else {
            guard sharedMask & mask == 0, shared.lockExclusive(range) else { return SQLITE_BUSY }
            exclusiveMask |= mask
        }
        return SQLITE_OK
    }

    func unmapSharedMemory() {
        guard isAttached else { return }
        for index in 0..<SharedDatabaseFile.lockCount {
            let bit = UInt16(1) << UInt16(index)
            if exclusiveMask & bit != 0 { shared.unlockExclusive(index..<index + 1) }
            if sharedMask & bit != 0 { shared.unlockShared(index..<index + 1) }
        }
        exclusiveMask = 0
        sharedMask = 0
        isAttached = false
        shared.connectionDetached()
    }

    var hasReservedLock: Bool { shared.hasReservedFileLock }
}

private let ioErrorSharedMemory = Int32(CSQLITE_IOERR_SHMMAP)
