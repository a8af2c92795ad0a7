internal import CSQLite

extension Connection {
    /// Has every page recorded that this connection reads from now on until it is closed. Pages
    /// in its cache are not read: trace a connection that is new.
    ///
    /// - Precondition: the connection was opened through `DatabaseVFS`.
    package func traceReads(into trace: PageReadTrace) throws(SQLiteError) {
        var file: UnsafeMutablePointer<sqlite3_file>?
        try check(
            unsafe sqlite3_file_control(try open(), "main", SQLITE_FCNTL_FILE_POINTER, &file))
        guard let observed = unsafe ObservedFileMethods.observedFile(file) else {
            preconditionFailure("the file was opened through another VFS")
        }
        trace.begin(self)
        observed.trace = trace
    }
}
