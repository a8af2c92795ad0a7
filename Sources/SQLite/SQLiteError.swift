internal import CSQLite

/// Why SQLite refused or failed, with its own words: clients read these texts.
package struct SQLiteError: Error, Equatable, Sendable {
    /// The extended result code, for example 2067 for `SQLITE_CONSTRAINT_UNIQUE`.
    package let extendedCode: Int32
    /// SQLite's message, for example `UNIQUE constraint failed: t.c`.
    package let message: String
    /// Where in the SQL text the error lies, in bytes; nil where SQLite does not say.
    package let offset: Int?

    package init(extendedCode: Int32, message: String, offset: Int? = nil) {
        self.extendedCode = extendedCode
        self.message = message
        self.offset = offset
    }

    /// An error with SQLite's general text for its code.
    package init(extendedCode: Int32) {
        self.init(
            extendedCode: extendedCode,
            message: unsafe String(cString: sqlite3_errstr(extendedCode)))
    }

    /// Reads the newest error of a connection. `handle` is nil where opening ran out of memory.
    init(code: Int32, handle: OpaquePointer?) {
        guard let handle = unsafe handle, unsafe sqlite3_errcode(handle) != SQLITE_OK else {
            self.init(extendedCode: code)
            return
        }
        let offset = unsafe sqlite3_error_offset(handle)
        self.init(
            extendedCode: unsafe sqlite3_extended_errcode(handle),
            message: unsafe String(cString: sqlite3_errmsg(handle)),
            offset: offset >= 0 ? Int(offset) : nil)
    }

    /// What SQLite says about a checkpoint inside of a transaction.
    package static let locked = SQLiteError(extendedCode: SQLITE_LOCKED)

    package var primaryCode: PrimaryCode { PrimaryCode(rawValue: extendedCode & 0xFF) }

    /// The stable name of the extended code, for example `SQLITE_CONSTRAINT_UNIQUE`. A code that
    /// is newer than the table gets the name of its primary code.
    package var codeName: String {
        ResultCodeNames.name(of: extendedCode)
    }
}

extension SQLiteError {
    /// The low byte of a result code: the kind of failure.
    package struct PrimaryCode: RawRepresentable, Hashable, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }

        package static let error = PrimaryCode(rawValue: SQLITE_ERROR)
        package static let `internal` = PrimaryCode(rawValue: SQLITE_INTERNAL)
        package static let permission = PrimaryCode(rawValue: SQLITE_PERM)
        package static let abort = PrimaryCode(rawValue: SQLITE_ABORT)
        package static let busy = PrimaryCode(rawValue: SQLITE_BUSY)
        package static let locked = PrimaryCode(rawValue: SQLITE_LOCKED)
        package static let noMemory = PrimaryCode(rawValue: SQLITE_NOMEM)
        package static let readOnly = PrimaryCode(rawValue: SQLITE_READONLY)
        package static let interrupt = PrimaryCode(rawValue: SQLITE_INTERRUPT)
        package static let inputOutput = PrimaryCode(rawValue: SQLITE_IOERR)
        package static let corrupt = PrimaryCode(rawValue: SQLITE_CORRUPT)
        package static let full = PrimaryCode(rawValue: SQLITE_FULL)
        package static let cannotOpen = PrimaryCode(rawValue: SQLITE_CANTOPEN)
        package static let schema = PrimaryCode(rawValue: SQLITE_SCHEMA)
        package static let tooBig = PrimaryCode(rawValue: SQLITE_TOOBIG)
        package static let constraint = PrimaryCode(rawValue: SQLITE_CONSTRAINT)
        package static let mismatch = PrimaryCode(rawValue: SQLITE_MISMATCH)
        package static let misuse = PrimaryCode(rawValue: SQLITE_MISUSE)
        package static let authorization = PrimaryCode(rawValue: SQLITE_AUTH)
        package static let range = PrimaryCode(rawValue: SQLITE_RANGE)
        package static let notADatabase = PrimaryCode(rawValue: SQLITE_NOTADB)
    }
}
