internal import CSQLite

/// Switches of one connection.
extension Connection {
    /// An upper bound that SQLite enforces for one connection.
    package enum Limit: Sendable {
        /// A text, blob or row, in bytes.
        case length
        /// The text of one statement, in bytes.
        case sqlLength
        /// The depth of an expression tree.
        case expressionDepth
        /// The largest `?NNN`.
        case variableNumber
        case attachedDatabases

        fileprivate var number: Int32 {
            switch self {
            case .length: SQLITE_LIMIT_LENGTH
            case .sqlLength: SQLITE_LIMIT_SQL_LENGTH
            case .expressionDepth: SQLITE_LIMIT_EXPR_DEPTH
            case .variableNumber: SQLITE_LIMIT_VARIABLE_NUMBER
            case .attachedDatabases: SQLITE_LIMIT_ATTACHED
            }
        }
    }

    /// Values above the library's own maximum are cut to it.
    package func setLimit(_ limit: Limit, to value: Int) {
        guard let handle = unsafe handle else { return }
        unsafe sqlite3_limit(handle, limit.number, Int32(clamping: max(0, value)))
    }

    /// Turns triggers on or off.
    package func setTriggersEnabled(_ isEnabled: Bool) throws(SQLiteError) {
        try set(SQLITE_DBCONFIG_ENABLE_TRIGGER, isEnabled)
    }

    /// Turns the enforcement of foreign keys, and their actions, on or off. Unlike the pragma,
    /// this works inside a transaction too.
    package func setForeignKeysEnabled(_ isEnabled: Bool) throws(SQLiteError) {
        try set(SQLITE_DBCONFIG_ENABLE_FKEY, isEnabled)
    }

    package func areForeignKeysEnabled() throws(SQLiteError) -> Bool {
        var value: Int32 = 0
        try check(unsafe csqlite_config_bool(try open(), SQLITE_DBCONFIG_ENABLE_FKEY, -1, &value))
        return value != 0
    }

    /// Forbids SQL that can corrupt the file: `writable_schema`, writes to shadow tables and such.
    package func setDefensive(_ isEnabled: Bool) throws(SQLiteError) {
        try set(SQLITE_DBCONFIG_DEFENSIVE, isEnabled)
    }

    /// How long a call sleeps and tries again while another connection is in its way, in whole
    /// milliseconds; zero gives up at once, as a new connection does.
    package func setBusyTimeout(_ timeout: Duration) {
        guard let handle = unsafe handle else { return }
        let (seconds, attoseconds) = timeout.components
        let milliseconds = Double(seconds) * 1000 + Double(attoseconds) / 1e15
        unsafe sqlite3_busy_timeout(
            handle, Int32(min(max(0, milliseconds), Double(Int32.max))))
    }

    /// Keeps the last connection that closes from checkpointing, which would bypass the storage.
    package func disableCheckpointOnClose() throws(SQLiteError) {
        try set(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
    }

    /// Keeps the WAL file when the last connection closes.
    package func persistWAL() throws(SQLiteError) {
        var isOn: Int32 = 1
        try check(unsafe sqlite3_file_control(try open(), "main", SQLITE_FCNTL_PERSIST_WAL, &isOn))
    }

    /// Drops the pages in this connection's cache, so that the next reads reach the VFS.
    package func resetCache() throws(SQLiteError) {
        try check(unsafe sqlite3_file_control(try open(), "main", SQLITE_FCNTL_RESET_CACHE, nil))
    }

    private func set(_ option: Int32, _ isOn: Bool) throws(SQLiteError) {
        try check(unsafe csqlite_config_bool(try open(), option, isOn ? 1 : 0, nil))
    }
}
