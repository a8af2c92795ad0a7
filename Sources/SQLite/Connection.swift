internal import CSQLite
internal import Synchronization

/// One SQLite connection, closed when it is released.
///
/// It is opened without SQLite's own mutex, so one thread uses it at a time: `@unchecked Sendable`
/// holds because a connection belongs to one lane of jobs, and passes from thread to thread only
/// between two jobs. `interrupt` alone may be called from anywhere.
@safe package final class Connection: @unchecked Sendable {
    package enum OpenMode: Sendable {
        case readOnly
        case readWrite
        /// Creates the file if it is missing.
        case create
    }

    // SAFETY: opened by `init`, closed once by `close` or `deinit`, nil from then on; every use
    // unwraps it first.
    /// Nil once closed.
    private(set) var handle: OpaquePointer?
    /// The same handle for `interrupt`; the lock keeps it from being closed meanwhile.
    private let interruptible: Mutex<Handle?>
    /// Statements that still must be finalized before the handle may be closed.
    private var liveStatements: Set<OpaquePointer> = unsafe []

    /// State of the callbacks in `Connection+Callbacks.swift`, which SQLite points to.
    var timer = StatementTimer()
    package var isDeadlinePassed: Bool { timer.isDeadlinePassed }
    var stopCheck: (() -> Bool)?
    package var isStopped: Bool { timer.isStopped }
    var hasProgressHandler = false
    var authorizerPolicy: (any AuthorizerPolicy)?

    /// Registering a table again would disconnect statements that use it.
    var hasGenerateSeries = false

    // SAFETY: used only under the lock of `interruptible`, which `close` empties before it closes
    // the handle.
    @safe private struct Handle: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    /// - Parameters:
    ///   - path: always a file name; `file:` URIs are not understood.
    ///   - vfsName: a registered VFS, or nil for the default one.
    package init(path: String, mode: OpenMode, vfsName: String? = nil) throws(SQLiteError) {
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE
        switch mode {
        case .readOnly: flags |= SQLITE_OPEN_READONLY
        case .readWrite: flags |= SQLITE_OPEN_READWRITE
        case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        }
        // Debian's library reads URIs even without SQLITE_OPEN_URI.
        let fileName = path.hasPrefix("file:") ? "./" + path : path
        SQLiteLibrary.configure
        var opened: OpaquePointer?
        let code = unsafe sqlite3_open_v2(fileName, &opened, flags, vfsName)
        guard code == SQLITE_OK, let opened = unsafe opened else {
            let error = unsafe SQLiteError(code: code, handle: opened)
            // SQLite returns a handle even when opening fails; it still must be closed.
            unsafe sqlite3_close_v2(opened)
            throw error
        }
        unsafe handle = opened
        interruptible = Mutex(unsafe Handle(pointer: opened))
        // A schema from a client must not reach functions and tables with side effects.
        _ = unsafe csqlite_config_bool(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nil)
    }

    deinit { close() }

    /// Finalizes every statement and closes the file. May be called more than once; statements
    /// that are used afterwards throw `SQLITE_MISUSE`.
    package func close() {
        guard let handle = unsafe handle else { return }
        interruptible.withLock { $0 = nil }
        while let statement = unsafe liveStatements.popFirst() {
            unsafe sqlite3_finalize(statement)
        }
        unsafe self.handle = nil
        let code = unsafe sqlite3_close(handle)
        precondition(code == SQLITE_OK, "a statement or a backup outlived its connection")
        authorizerPolicy = nil
        stopCheck = nil
    }

    package var isOpen: Bool { unsafe handle != nil }

    /// Makes what runs on this connection fail with `SQLITE_INTERRUPT`. Safe from any thread, and
    /// without effect on a closed connection.
    package func interrupt() {
        interruptible.withLock { if let handle = $0 { unsafe sqlite3_interrupt(handle.pointer) } }
    }

    /// The handle, for one call into SQLite.
    func open() throws(SQLiteError) -> OpaquePointer {
        guard let handle = unsafe handle else {
            throw SQLiteError(extendedCode: SQLITE_MISUSE, message: "the connection is closed")
        }
        return unsafe handle
    }

    func check(_ code: Int32) throws(SQLiteError) {
        guard code == SQLITE_OK else { throw unsafe SQLiteError(code: code, handle: handle) }
    }

    // MARK: Statements

    /// Compiles the first statement of `sql`; throws if there is none.
    package func prepare(_ sql: String) throws(SQLiteError) -> Statement {
        guard let statement = try prepare(SQLScript(sql), from: 0).statement else {
            throw SQLiteError(extendedCode: SQLITE_ERROR, message: "no SQL statement")
        }
        return statement
    }

    /// Compiles the next statement of a script.
    ///
    /// - Parameters:
    ///   - offset: where to start, in bytes from the start of the script.
    ///   - isPersistent: hints that the statement is kept and run many times.
    /// - Returns: nil for the statement if only white space, comments and semicolons are left; and
    ///   the offset behind what was read.
    package func prepare(
        _ script: SQLScript, from offset: Int, isPersistent: Bool = false
    ) throws(SQLiteError) -> (statement: Statement?, end: Int) {
        precondition((0...script.count).contains(offset))
        let handle = try unsafe open()
        let flags = isPersistent ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
        var compiled: OpaquePointer?
        var end = offset
        let code = unsafe script.bytes.withUnsafeBufferPointer { bytes -> Int32 in
            unsafe bytes.withMemoryRebound(to: CChar.self) { characters -> Int32 in
                guard let start = characters.baseAddress else { return SQLITE_MISUSE }
                let length = Int32(clamping: characters.count - offset)
                var tail: UnsafePointer<CChar>?
                let code = unsafe sqlite3_prepare_v3(
                    handle, start + offset, length, flags, &compiled, &tail)
                if let tail = unsafe tail { end = unsafe tail - start }
                return code
            }
        }
        try check(code)
        guard let compiled = unsafe compiled else { return (nil, end) }
        unsafe liveStatements.insert(compiled)
        return (unsafe Statement(handle: compiled, connection: self), end)
    }

    /// Called once by each statement when it is released.
    func finalize(_ statement: OpaquePointer) {
        if unsafe liveStatements.remove(statement) != nil { unsafe sqlite3_finalize(statement) }
    }

    /// Runs every statement of `sql` to its end and drops their rows. For SQL of our own.
    package func execute(_ sql: String) throws(SQLiteError) {
        let script = SQLScript(sql)
        var offset = 0
        while true {
            let (statement, end) = try prepare(script, from: offset)
            guard let statement else { return }
            while try statement.step() {}
            offset = end
        }
    }

    /// The first column of the first row as an integer; nil without a row or for NULL.
    package func queryInteger(_ sql: String) throws(SQLiteError) -> Int64? {
        let statement = try prepare(sql)
        guard try statement.step(), statement.columnType(at: 0) != .null else { return nil }
        return statement.integer(at: 0)
    }

    /// The first column of the first row as text; nil without a row or for NULL.
    package func queryText(_ sql: String) throws(SQLiteError) -> String? {
        let statement = try prepare(sql)
        guard try statement.step(), statement.columnType(at: 0) != .null else { return nil }
        return statement.text(at: 0)
    }

    // MARK: State

    /// True outside of a transaction.
    package var isAutocommit: Bool {
        unsafe handle.map { unsafe sqlite3_get_autocommit($0) != 0 } ?? true
    }

    package enum TransactionState: Sendable {
        /// None is open, or it has not touched a database yet.
        case none
        case reads
        case writes
    }

    package var transactionState: TransactionState {
        guard let handle = unsafe handle else { return .none }
        return switch unsafe sqlite3_txn_state(handle, nil) {
        case SQLITE_TXN_READ: .reads
        case SQLITE_TXN_WRITE: .writes
        default: .none
        }
    }

    /// Rows changed by the newest INSERT, UPDATE or DELETE itself; triggers do not count.
    package var changes: Int64 { unsafe handle.map { unsafe sqlite3_changes64($0) } ?? 0 }

    /// Rows changed since the connection was opened, triggers and foreign-key actions included.
    package var totalChanges: Int64 {
        unsafe handle.map { unsafe sqlite3_total_changes64($0) } ?? 0
    }

    /// Settable, so that a pooled connection does not tell one client what another inserted.
    package var lastInsertRowID: Int64 {
        get { unsafe handle.map { unsafe sqlite3_last_insert_rowid($0) } ?? 0 }
        set {
            if let handle = unsafe handle { unsafe sqlite3_set_last_insert_rowid(handle, newValue) }
        }
    }

    /// The collation in the declaration of a column of `main`, for example `NOCASE`; nil if there
    /// is no such column.
    package func collation(ofColumn column: String, table: String) -> String? {
        var name: UnsafePointer<CChar>?
        guard let handle = unsafe handle,
            unsafe sqlite3_table_column_metadata(
                handle, "main", table, column, nil, &name, nil, nil, nil) == SQLITE_OK
        else { return nil }
        return unsafe name.map { unsafe String(cString: $0) }
    }
}
