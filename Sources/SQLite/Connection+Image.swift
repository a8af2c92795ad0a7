internal import CSQLite

extension Connection {
    /// Opens pages that are no file, and that may hold anything. The connection can only read;
    /// it evaluates no view, no trigger and no CHECK constraint, and has neither temporary files
    /// nor other databases. It stays with the thread that opened it.
    ///
    /// A progress deadline ends integrity checks, too. What `image` throws, the statement throws
    /// with the same code.
    package static func open(image: any PageSource) throws(SQLiteError) -> Connection {
        let connection = try ImageVFS.withPath(to: image) { path throws(SQLiteError) in
            try Connection(path: path, mode: .readOnly, vfsName: ImageVFS.name)
        }
        var file: UnsafeMutablePointer<sqlite3_file>?
        try connection.check(
            unsafe sqlite3_file_control(
                try connection.open(), "main", SQLITE_FCNTL_FILE_POINTER, &file))
        unsafe ImageFileMethods.imageFile(file)?.connection = connection
        try connection.distrustSchema()
        return connection
    }

    /// Views are off because compiling a statement expands them, which can take exponential time
    /// and memory and is not interrupted; constraints, because they call functions on every row.
    private func distrustSchema() throws(SQLiteError) {
        for (option, value) in [
            (SQLITE_DBCONFIG_DEFENSIVE, Int32(1)), (SQLITE_DBCONFIG_ENABLE_VIEW, 0),
            (SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
        ] {
            try check(unsafe csqlite_config_bool(try open(), option, value, nil))
        }
        setLimit(.attachedDatabases, to: 0)
        try execute(
            """
            PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; PRAGMA query_only = ON;
            PRAGMA ignore_check_constraints = ON;
            """)
    }
}
