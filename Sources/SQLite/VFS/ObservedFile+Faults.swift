internal import CSQLite
internal import Glibc
internal import Primitives

/// Operations that tests see and fail.
extension ObservedFile {
    /// What a test makes of an operation, and the code it fails with: a full disk has its own.
    struct Verdict {
        var code = SQLITE_OK
        /// Bytes of a failing write that arrive.
        var byteCount: Int32 = 0
    }

    func judgeWrite(count: Int32, offset: Int64) -> Verdict {
        guard unsafe FileOperationHook.handler != nil else { return Verdict() }
        return judge(
            .write, writePurpose(count: count, offset: offset), count: count, offset: offset,
            otherwise: Int32(CSQLITE_IOERR_WRITE))
    }

    func judgeTruncation() -> Verdict {
        guard unsafe FileOperationHook.handler != nil else { return Verdict() }
        return judge(
            .truncate, kind == .wal ? .spentWAL : .mainPages,
            otherwise: Int32(CSQLITE_IOERR_TRUNCATE))
    }

    func judgeFlush() -> Verdict {
        guard unsafe FileOperationHook.handler != nil else { return Verdict() }
        return judge(
            .synchronize(withTimes: false), flushPurpose, otherwise: Int32(CSQLITE_IOERR_FSYNC))
    }

    private func judge(
        _ operation: FileOperationHook.Operation, _ purpose: FilePurpose, count: Int32 = 0,
        offset: Int64 = 0, otherwise code: Int32
    ) -> Verdict {
        let path = kind == .wal ? shared.path + "-wal" : shared.path
        switch FileOperationHook.outcome(
            operation, purpose, path, offset: offset, byteCount: Int(count))
        {
        case .goesOn: return Verdict()
        case .fails(let error): return Verdict(code: error == ENOSPC ? SQLITE_FULL : code)
        case .isCutShort(let written, let error):
            return Verdict(code: error == ENOSPC ? SQLITE_FULL : code, byteCount: Int32(written))
        }
    }

    private func writePurpose(count: Int32, offset: Int64) -> FilePurpose {
        if kind == .main { return .mainPages }
        if offset == 0 { return .walHeader }
        return count == 24 ? .walFrameHeader : .walFramePage
    }

    private var flushPurpose: FilePurpose {
        if kind == .main { return .mainPages }
        return shared.isCheckpointing ? .walToCopy : .walHeader
    }
}
