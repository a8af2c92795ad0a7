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
        table.initialize(to: methods)
        return table
    }()

    private static func addFileMethods(to methods: inout sqlite3_io_methods) {
        methods.xClose = { file in
            let ours = container(file)
            let real = ours.pointee.real!
            let context = Unmanaged<ObservedFile>.fromOpaque(ours.pointee.context)
            context.takeUnretainedValue().close()
            let code = real.pointee.pMethods.pointee.xClose(real)
            context.release()
            return code
        }
        methods.xRead = { file, bytes, count, offset in
            let real = container(file).pointee.real!
            return real.pointee.pMethods.pointee.xRead(real, bytes, count, offset)
        }
        methods.xWrite = { file, bytes, count, offset in
            let ours = container(file)
            let real = ours.pointee.real!
            var code = observed(ours).injectedFailure(.write, code: Int32(CSQLITE_IOERR_WRITE))
            if code == SQLITE_OK {
                code = real.pointee.pMethods.pointee.xWrite(real, bytes, count, offset)
            }
            if code == SQLITE_OK, let bytes {
                observed(ours).observeWrite(bytes, count: count, offset: offset)
            } else if code != SQLITE_FULL {
                observed(ours).shared.noteFailure()
            }
            return code
        }
        methods.xTruncate = { file, size in
            let real = container(file).pointee.real!
            let code = observed(container(file)).injectedFailure(
                .truncate, code: Int32(CSQLITE_IOERR_WRITE))
            guard code == SQLITE_OK else { return code }
            return real.pointee.pMethods.pointee.xTruncate(real, size)
        }
        methods.xSync = { file, flags in
            let real = container(file).pointee.real!
            var code = observed(container(file)).injectedFailure(
                .synchronize(withTimes: false), code: Int32(CSQLITE_IOERR_FSYNC))
            if code == SQLITE_OK { code = real.pointee.pMethods.pointee.xSync(real, flags) }
            if code != SQLITE_OK { observed(container(file)).shared.noteFailure() }
            return code
        }
        methods.xFileSize = { file, size in
            let real = container(file).pointee.real!
            return real.pointee.pMethods.pointee.xFileSize(real, size)
        }
        methods.xFileControl = { file, operation, argument in
            let real = container(file).pointee.real!
            return real.pointee.pMethods.pointee.xFileControl(real, operation, argument)
        }
        methods.xSectorSize = { file in
            let real = container(file).pointee.real!
            return real.pointee.pMethods.pointee.xSectorSize(real)
        }
        methods.xDeviceCharacteristics = { file in
            let real = container(file).pointee.real!
            return real.pointee.pMethods.pointee.xDeviceCharacteristics(real)
        }
    }

    private static func addLockMethods(to methods: inout sqlite3_io_methods) {
        methods.xLock = { file, level in observed(container(file)).lockFile(to: level) }
        methods.xUnlock = { file, level in observed(container(file)).unlockFile(to: level) }
        methods.xCheckReservedLock = { file, result in
            result?.pointee = observed(container(file)).hasReservedLock ? 1 : 0
            return SQLITE_OK
        }
    }

    private static func addSharedMemoryMethods(to methods: inout sqlite3_io_methods) {
        methods.xShmMap = { file, region, size, extend, result in
            guard let result else { return SQLITE_MISUSE }
            return observed(container(file)).mapSharedMemory(
                region: region, size: size, extend: extend != 0, into: result)
        }
        methods.xShmLock = { file, offset, count, flags in
            observed(container(file)).lockSharedMemory(offset: offset, count: count, flags: flags)
        }
        methods.xShmBarrier = { _ in csqlite_memory_barrier() }
        methods.xShmUnmap = { file, _ in
            observed(container(file)).unmapSharedMemory()
            return SQLITE_OK
        }
    }
}

// Free functions: a C function pointer may not capture even a metatype.

private func container(
    _ file: UnsafeMutablePointer<sqlite3_file>?
) -> UnsafeMutablePointer<csqlite_file> {
    UnsafeMutableRawPointer(file!).assumingMemoryBound(to: csqlite_file.self)
}

private func observed(_ file: UnsafeMutablePointer<csqlite_file>) -> ObservedFile {
    Unmanaged<ObservedFile>.fromOpaque(file.pointee.context).takeUnretainedValue()
}
