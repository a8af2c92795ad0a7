internal import CSQLite

/// The table of C functions that SQLite calls for an `ObservedFile`. Each one finds the object
/// and the real file, and does nothing else of its own.
enum ObservedFileMethods {
    // SAFETY: written once by the lazy initializer, read by SQLite for ever.
    nonisolated(unsafe) static let table: UnsafeMutablePointer<sqlite3_io_methods> = {
        let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        var methods = sqlite3_io_methods()
        // Version 2: with shared memory, without memory-mapped reads.
        methods.iVersion = 2
        addFileMethods(to: &methods)
        addLockMethods(to: &methods)
        addSharedMemoryMethods(to: &methods)
        unsafe table.initialize(to: methods)
        return unsafe table
    }()

    /// The object behind an open file; nil if another VFS opened it.
    static func observedFile(_ file: UnsafeMutablePointer<sqlite3_file>?) -> ObservedFile? {
        guard let file = unsafe file, unsafe file.pointee.pMethods == UnsafePointer(table) else {
            return nil
        }
        return unsafe observed(container(file))
    }

    private static func addFileMethods(to methods: inout sqlite3_io_methods) {
        unsafe methods.xClose = { file in
            let ours = unsafe container(file)
            let real = unsafe ours.pointee.real!
            let context = unsafe Unmanaged<ObservedFile>.fromOpaque(ours.pointee.context)
            unsafe context.takeUnretainedValue().close()
            let code = unsafe real.pointee.pMethods.pointee.xClose(real)
            unsafe context.release()
            return code
        }
        unsafe methods.xRead = { file, bytes, count, offset in
            let real = unsafe container(file).pointee.real!
            unsafe observed(container(file)).observeRead(count: count, offset: offset, real: real)
            return unsafe real.pointee.pMethods.pointee.xRead(real, bytes, count, offset)
        }
        unsafe methods.xWrite = { file, bytes, count, offset in
            let ours = unsafe container(file)
            let real = unsafe ours.pointee.real!
            let verdict = unsafe observed(ours).judgeWrite(count: count, offset: offset)
            var code = verdict.code
            if code == SQLITE_OK {
                code = unsafe real.pointee.pMethods.pointee.xWrite(real, bytes, count, offset)
            } else if verdict.byteCount > 0 {
                _ = unsafe real.pointee.pMethods.pointee.xWrite(
                    real, bytes, verdict.byteCount, offset)
            }
            if code == SQLITE_OK, let bytes = unsafe bytes {
                unsafe observed(ours).observeWrite(bytes, count: count, offset: offset)
            } else if code != SQLITE_FULL {
                unsafe observed(ours).shared.noteFailure()
            }
            return code
        }
        unsafe methods.xTruncate = { file, size in
            let real = unsafe container(file).pointee.real!
            let code = unsafe observed(container(file)).judgeTruncation().code
            guard code == SQLITE_OK else { return code }
            return unsafe real.pointee.pMethods.pointee.xTruncate(real, size)
        }
        unsafe methods.xSync = { file, flags in
            let real = unsafe container(file).pointee.real!
            var code = unsafe observed(container(file)).judgeFlush().code
            if code == SQLITE_OK { code = unsafe real.pointee.pMethods.pointee.xSync(real, flags) }
            if code != SQLITE_OK { unsafe observed(container(file)).shared.noteFailure() }
            return code
        }
        unsafe methods.xFileSize = { file, size in
            let real = unsafe container(file).pointee.real!
            return unsafe real.pointee.pMethods.pointee.xFileSize(real, size)
        }
        unsafe methods.xFileControl = { file, operation, argument in
            let real = unsafe container(file).pointee.real!
            return unsafe real.pointee.pMethods.pointee.xFileControl(real, operation, argument)
        }
        unsafe methods.xSectorSize = { file in
            let real = unsafe container(file).pointee.real!
            return unsafe real.pointee.pMethods.pointee.xSectorSize(real)
        }
        unsafe methods.xDeviceCharacteristics = { file in
            let real = unsafe container(file).pointee.real!
            return unsafe real.pointee.pMethods.pointee.xDeviceCharacteristics(real)
        }
    }

    private static func addLockMethods(to methods: inout sqlite3_io_methods) {
        unsafe methods.xLock = { file, level in
            unsafe observed(container(file)).lockFile(to: level)
        }
        unsafe methods.xUnlock = { file, level in
            unsafe observed(container(file)).unlockFile(to: level)
        }
        unsafe methods.xCheckReservedLock = { file, result in
            unsafe result?.pointee = observed(container(file)).hasReservedLock ? 1 : 0
            return SQLITE_OK
        }
    }

    private static func addSharedMemoryMethods(to methods: inout sqlite3_io_methods) {
        unsafe methods.xShmMap = { file, region, size, extend, result in
            guard let result = unsafe result else { return SQLITE_MISUSE }
            return unsafe observed(container(file)).mapSharedMemory(
                region: region, size: size, extend: extend != 0, into: result)
        }
        unsafe methods.xShmLock = { file, offset, count, flags in
            unsafe observed(container(file)).lockSharedMemory(
                offset: offset, count: count, flags: flags)
        }
        unsafe methods.xShmBarrier = { _ in csqlite_memory_barrier() }
        unsafe methods.xShmUnmap = { file, _ in
            unsafe observed(container(file)).unmapSharedMemory()
            return SQLITE_OK
        }
    }
}

// Free functions: a C function pointer may not capture even a metatype.

private func container(
    _ file: UnsafeMutablePointer<sqlite3_file>?
) -> UnsafeMutablePointer<csqlite_file> {
    unsafe UnsafeMutableRawPointer(file!).assumingMemoryBound(to: csqlite_file.self)
}

private func observed(_ file: UnsafeMutablePointer<csqlite_file>) -> ObservedFile {
    unsafe Unmanaged<ObservedFile>.fromOpaque(file.pointee.context).takeUnretainedValue()
}
