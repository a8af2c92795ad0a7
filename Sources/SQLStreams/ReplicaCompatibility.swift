internal import Primitives
package import SQLite

/// Checks that a database holds nothing that the replicas' engine cannot: one such object locks
/// every client out. The same rules guard SQL from clients and imported files.
package enum ReplicaCompatibility {
    /// Everything there is to say about a whole database, in the order of its schema.
    package static func check(_ connection: Connection) throws(SQLiteError) -> [ReplicaProblem] {
        try formatProblems(connection) + schemaProblems(connection) + warnings(connection)
    }

    private static func formatProblems(
        _ connection: Connection
    ) throws(SQLiteError) -> [ReplicaProblem] {
        var problems: [ReplicaProblem] = []
        if let size = try connection.queryInteger("PRAGMA page_size"), size != Int64(pageSize) {
            problems.append(
                ReplicaProblem(
                    .fatal, "the page size is \(size) bytes; replicas hold \(pageSize) only"))
        }
        if let encoding = try connection.queryText("PRAGMA encoding"), encoding != "UTF-8" {
            problems.append(
                ReplicaProblem(.fatal, "the text encoding is \(encoding); replicas hold UTF-8"))
        }
        switch try connection.queryInteger("PRAGMA auto_vacuum") {
        case 1:
            problems.append(
                ReplicaProblem(.warning, "auto_vacuum is on: replicas can only read the database"))
        case 2:
            problems.append(
                ReplicaProblem(
                    .fatal, "auto_vacuum is incremental; replicas cannot open such a database"))
        default: break
        }
        return problems
    }

    /// The fatal problems in the schema of `main`.
    static func schemaProblems(
        _ connection: Connection
    ) throws(SQLiteError) -> [ReplicaProblem] {
        try names(connection) + storedColumns(connection) + collations(connection)
    }

    /// Tables that the client's engine keeps for itself, and virtual tables.
    private static func names(_ connection: Connection) throws(SQLiteError) -> [ReplicaProblem] {
        var problems: [ReplicaProblem] = []
        let schema = try connection.prepare(
            "SELECT type, name, coalesce(rootpage, 0) FROM main.sqlite_schema")
        while try schema.step() {
            let (type, name) = (schema.text(at: 0), schema.text(at: 1))
            if isReserved(name) {
                problems.append(
                    ReplicaProblem(.fatal, "the name \(name) is reserved for use inside replicas"))
            }
            if type == "table", schema.integer(at: 2) == 0 {
                problems.append(
                    ReplicaProblem(
                        .fatal, "\(name) is a virtual table, which replicas cannot open"))
            }
        }
        return problems
    }

    static func isReserved(_ name: String) -> Bool {
        let name = name.lowercased()
        return name == "turso_cdc" || name == "turso_cdc_version"
            || name.hasPrefix("__turso_internal_")
    }

    private static func storedColumns(
        _ connection: Connection
    ) throws(SQLiteError) -> [ReplicaProblem] {
        var problems: [ReplicaProblem] = []
        let columns = try connection.prepare(Self.generatedColumns)
        try columns.bind(.integer(3), at: 1)
        while try columns.step() {
            problems.append(
                ReplicaProblem(
                    .fatal,
                    "\(columns.text(at: 0)).\(columns.text(at: 1)) is a STORED generated"
                        + " column, which replicas cannot open"))
        }
        return problems
    }

    /// `hidden` is 2 for VIRTUAL and 3 for STORED generated columns.
    private static let generatedColumns = """
        SELECT s.name, c.name FROM main.sqlite_schema s, pragma_table_xinfo(s.name, 'main') c
        WHERE s.type = 'table' AND s.rootpage <> 0 AND c.hidden = ?
        """

    /// Collations of the application's own: replicas have only the three built-in ones.
    private static func collations(
        _ connection: Connection
    ) throws(SQLiteError) -> [ReplicaProblem] {
        var problems: [ReplicaProblem] = []
        func add(_ collation: String?, _ place: String) {
            guard let collation, !builtInCollations.contains(collation.uppercased()) else { return }
            problems.append(
                ReplicaProblem(
                    .fatal, "\(place) uses the collation \(collation), which replicas do not have"))
        }
        let columns = try connection.prepare(
            """
            SELECT s.name, c.name FROM main.sqlite_schema s, pragma_table_xinfo(s.name, 'main') c
            WHERE s.type = 'table' AND s.rootpage <> 0 AND s.sql LIKE '%collate%'
            """)
        while try columns.step() {
            let (table, column) = (columns.text(at: 0), columns.text(at: 1))
            add(connection.collation(ofColumn: column, table: table), "\(table).\(column)")
        }
        let indexes = try connection.prepare(
            """
            SELECT s.name, x.coll FROM main.sqlite_schema s, pragma_index_xinfo(s.name, 'main') x
            WHERE s.type = 'index' AND x.key = 1 AND s.sql LIKE '%collate%'
            """)
        while try indexes.step() {
            add(indexes.text(at: 1), "the index \(indexes.text(at: 0))")
        }
        return problems
    }

    private static let builtInCollations: Set<String> = ["BINARY", "NOCASE", "RTRIM"]

    private static func warnings(_ connection: Connection) throws(SQLiteError) -> [ReplicaProblem] {
        var problems: [ReplicaProblem] = []
        let columns = try connection.prepare(Self.generatedColumns)
        try columns.bind(.integer(2), at: 1)
        while try columns.step() {
            problems.append(
                ReplicaProblem(
                    .warning,
                    "\(columns.text(at: 0)).\(columns.text(at: 1)) is a VIRTUAL generated"
                        + " column: replicas may not be able to write to its table"))
        }
        let tables = try connection.prepare(
            """
            SELECT name FROM pragma_table_list
            WHERE schema = 'main' AND type = 'table' AND wr AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
            """)
        while try tables.step() {
            problems.append(
                ReplicaProblem(
                    .warning,
                    "\(tables.text(at: 0)) is a WITHOUT ROWID table: replicas can only read it"))
        }
        return problems
    }
}
