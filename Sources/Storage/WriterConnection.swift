internal import SQLite

/// How the connections of an open database are set up.
enum WriterConnection {
    /// The one connection that commits. SQLite flushes the header of a WAL that starts over, and
    /// what a checkpoint copies; commits are flushed by `Database+Flushing`.
    static func open(path: String) throws(SQLiteError) -> Connection {
        let connection = try Connection(
            path: path, mode: .readWrite, vfsName: DatabaseVFS.name)
        try connection.disableCheckpointOnClose()
        try connection.persistWAL()
        try configure(connection)
        try connection.execute("PRAGMA synchronous = NORMAL")
        // Makes SQLite recover the WAL now.
        _ = try connection.queryInteger("SELECT count(*) FROM sqlite_schema")
        guard try connection.queryText("PRAGMA journal_mode") == "wal" else {
            throw SQLiteError(extendedCode: 26, message: "the database is not in WAL mode")
        }
        return connection
    }

    /// A connection for queries only.
    static func openReader(path: String) throws(SQLiteError) -> Connection {
        let connection = try Connection(path: path, mode: .readWrite, vfsName: DatabaseVFS.name)
        try connection.disableCheckpointOnClose()
        try connection.persistWAL()
        try configure(connection)
        try connection.execute("PRAGMA query_only = ON")
        return connection
    }

    private static func configure(_ connection: Connection) throws(SQLiteError) {
        try connection.setDefensive(true)
        // The clients' engine has it built in, and pushes what uses it.
        try connection.registerGenerateSeries()
        // secure_delete, on in Debian's build, would add every freed page to every pull.
        try connection.execute(
            """
            PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF; PRAGMA mmap_size = 0;
            PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;
            """)
    }
}
