internal import CSQLite

/// The SQLite library that this process uses.
package enum SQLiteLibrary {
    /// For example `3.40.1`.
    package static var version: String { unsafe String(cString: sqlite3_libversion()) }
}
