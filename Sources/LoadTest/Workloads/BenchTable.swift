/// The table that workloads read and write: `tidemark_bench(id INTEGER PRIMARY KEY, v TEXT)`.
package enum BenchTable {
    package static let name = "tidemark_bench"
    /// Rows that the preparation makes have the ids 1 to their count; pushed ones are far above.
    package static let firstPushedID = 1_000_000_000_000_000_000

    private static let chunkSize = 8 << 20

    /// Makes the table hold `rows` rows of about `rowSize` bytes; leaves it alone if it does.
    ///
    /// The values are hexadecimal digits, which compress to half their size.
    package static func prepare(
        _ database: BenchDatabase, rows: Int, rowSize: Int
    ) throws(BenchError) {
        try database.sql([
            "CREATE TABLE IF NOT EXISTS \(name) (id INTEGER PRIMARY KEY, v TEXT)"
        ])
        let existing = try database.number(
            "SELECT count(*) FROM \(name) WHERE id < \(firstPushedID)")
        guard existing != rows else { return }
        if existing > 0 { try database.sql(["DELETE FROM \(name)", "VACUUM"]) }
        let chunk = max(1, chunkSize / max(1, rowSize))
        var first = 1
        while first <= rows {
            let last = min(rows, first + chunk - 1)
            try database.sql([
                "WITH RECURSIVE n(i) AS (VALUES(\(first)) UNION ALL SELECT i + 1 FROM n "
                    + "WHERE i < \(last)) INSERT INTO \(name) SELECT i, "
                    + "hex(randomblob(\(max(1, rowSize / 2)))) FROM n"
            ])
            first = last + 1
        }
    }
}
