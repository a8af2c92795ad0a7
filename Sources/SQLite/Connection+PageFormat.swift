internal import CSQLite

/// The bytes at the end of every page that SQLite leaves to extensions.
extension Connection {
    package func reservedBytes() throws(SQLiteError) -> Int {
        var count: Int32 = -1
        try check(
            unsafe sqlite3_file_control(try open(), "main", SQLITE_FCNTL_RESERVE_BYTES, &count))
        return Int(count)
    }

    /// Takes effect with the next VACUUM.
    package func setReservedBytes(_ count: Int) throws(SQLiteError) {
        var count = Int32(count)
        try check(
            unsafe sqlite3_file_control(try open(), "main", SQLITE_FCNTL_RESERVE_BYTES, &count))
    }
}
