internal import Primitives
internal import SQLite

/// SQLite's own check of an image, for as long as there is time.
struct QuickCheck {
    private let image: PushedImage
    private let deadline: ContinuousClock.Instant

    init(_ image: PushedImage, deadline: ContinuousClock.Instant) {
        self.image = image
        self.deadline = deadline
    }

    /// - Parameter trees: those that were walked, by their roots.
    func run(
        _ rows: [SchemaRow], trees: [UInt32: ImageWalk.Tree]
    ) throws(ImageCheckStop) {
        do throws(SQLiteError) {
            let connection = try Connection.open(image: image)
            defer { connection.close() }
            connection.setLimit(.length, to: SQLLimits().valueSize)
            connection.setProgressDeadline(deadline)
            for table in touchedTables(rows, trees: trees) {
                guard try !hasGeneratedColumns(connection, table: table) else { continue }
                let name = table.replacing("'", with: "''")
                try check(connection, "PRAGMA quick_check('\(name)')")
            }
            guard try !hasGeneratedColumns(connection, table: nil) else { return }
            try check(connection, "PRAGMA quick_check(1)")
        } catch {
            if let failure = image.failure { throw .source(failure) }
            switch error.primaryCode {
            case .corrupt, .notADatabase:
                throw .fault("quick_check: \(error.message.prefix(200))")
            case .noMemory: throw .source(error)
            // Out of time; or something that only this connection cannot do or hold.
            default: return
            }
        }
    }

    /// The smallest first: they may be done within the time.
    private func touchedTables(
        _ rows: [SchemaRow], trees: [UInt32: ImageWalk.Tree]
    ) -> [String] {
        var sizes: [[UInt8]: (pages: Int, pushed: Int)] = [:]
        for row in rows {
            guard let tree = trees[row.root] else { continue }
            let table = row.type.elementsEqual("index".utf8) ? row.table : row.name
            sizes[table, default: (0, 0)].pages += tree.pageCount
            sizes[table]?.pushed += tree.pushedCount
        }
        return sizes.filter { $0.value.pushed > 0 }
            .sorted { ($0.value.pages, $0.key.count) < ($1.value.pages, $1.key.count) }
            .map { String(decoding: $0.key, as: UTF8.self) }
    }

    /// The check evaluates some generated columns, whose expressions are the client's and cannot be
    /// interrupted.
    ///
    /// - Parameter table: nil for any table.
    private func hasGeneratedColumns(
        _ connection: Connection, table: String?
    ) throws(SQLiteError) -> Bool {
        let sql =
            table == nil
            ? """
            SELECT 1 FROM main.sqlite_schema s, pragma_table_xinfo(s.name, 'main') c
            WHERE s.type = 'table' AND c.hidden IN (2, 3)
            """ : "SELECT 1 FROM pragma_table_xinfo(?, 'main') WHERE hidden IN (2, 3)"
        let statement = try connection.prepare(sql)
        if let table { try statement.bind(.text(table), at: 1) }
        return try statement.step()
    }

    private func check(_ connection: Connection, _ pragma: String) throws(SQLiteError) {
        let statement = try connection.prepare(pragma)
        guard try statement.step() else { return }
        let line = statement.text(at: 0).replacing("*** in database main ***\n", with: "")
        guard line != "ok", !connection.isDeadlinePassed else { return }
        throw SQLiteError(
            extendedCode: SQLiteError.PrimaryCode.corrupt.rawValue, message: line)
    }
}
