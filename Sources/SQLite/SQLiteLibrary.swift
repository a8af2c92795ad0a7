internal import CSQLite

/// The SQLite library that this process uses.
package enum SQLiteLibrary {
    /// Before anything else of SQLite: it need not count the bytes that it holds, under a lock that
    /// every allocation of every connection takes. Nothing here asks for that count.
    static let configure: Void = {
        _ = csqlite_global_config_int(SQLITE_CONFIG_MEMSTATUS, 0)
    }()

    /// For example `3.40.1`.
    package static var version: String { unsafe String(cString: sqlite3_libversion()) }
}
