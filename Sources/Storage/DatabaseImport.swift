internal import Primitives
package import SQLite

/// Turns any SQLite file into the main file of a new database, or says why it cannot be.
package enum DatabaseImport {
    /// What keeps replicas from holding a database (`problems`: refused) and what an operator
    /// should know (`warnings`).
    package typealias Findings = (problems: [String], warnings: [String])
    package typealias Check = (Connection) throws(SQLiteError) -> Findings

    package struct Progress: Sendable {
        package enum Phase: String, Sendable { case copy, convert, check }
        package let phase: Phase
        /// Of `phase`, 0 to 1; nil where SQLite does not tell.
        package let fraction: Double?
    }

    package struct Report: Sendable {
        package var pageCount = 0
        package var warnings: [String] = []
        /// What was converted, in words.
        package var conversions: [String] = []
    }

    /// - Parameter destination: a path where nothing is yet.
    static func run(
        from source: String, to destination: String, check: Check,
        progress: (Progress) -> Void
    ) throws(StorageError) -> Report {
        do throws(SQLiteError) {
            var report = Report()
            let connection = try copy(from: source, to: destination, progress: progress)
            defer { connection.close() }
            try refuseOtherEncodings(connection)
            progress(Progress(phase: .convert, fraction: nil))
            try convert(connection, report: &report)
            progress(Progress(phase: .check, fraction: nil))
            try checkIntegrity(connection)
            let findings = try check(connection)
            guard findings.problems.isEmpty else { throw Refusal.wrap(findings.problems) }
            report.warnings = findings.warnings
            report.pageCount = Int(try connection.queryInteger("PRAGMA page_count") ?? 0)
            guard try connection.queryText("PRAGMA journal_mode = WAL") == "wal" else {
                throw Refusal.wrap(["the copy could not be put into WAL mode"])
            }
            if report.pageCount == 0 {
                // SQLite takes an empty file for an empty database.
                try connection.execute("PRAGMA user_version = 0")
                report.pageCount = 1
            }
            return report
        } catch {
            throw Refusal.unwrap(error)
        }
    }

    /// Copies through SQLite, so that a WAL or hot journal next to the file is taken in.
    private static func copy(
        from source: String, to destination: String, progress: (Progress) -> Void
    ) throws(SQLiteError) -> Connection {
        let original: Connection
        do {
            original = try Connection(path: source, mode: .readOnly)
            _ = try original.queryInteger("SELECT count(*) FROM sqlite_schema")
        } catch {
            throw Refusal.wrap(["the file cannot be read as a SQLite database: \(error.message)"])
        }
        defer { original.close() }
        let connection = try Connection(path: destination, mode: .create)
        do {
            try connection.copy(from: original, pagesPerStep: 2048) { remaining, total in
                let fraction = total == 0 ? 1 : Double(total - remaining) / Double(total)
                progress(Progress(phase: .copy, fraction: fraction))
                return true
            }
            try connection.execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF")
        } catch {
            connection.close()
            throw Refusal.wrap(["the file cannot be read as a SQLite database: \(error.message)"])
        }
        return connection
    }

    private static func refuseOtherEncodings(_ connection: Connection) throws(SQLiteError) {
        let encoding = try connection.queryText("PRAGMA encoding") ?? "UTF-8"
        guard encoding == "UTF-8" else {
            throw Refusal.wrap([
                "its text encoding is \(encoding), and replicas hold UTF-8 only; "
                    + "dump it with `sqlite3 FILE .dump` and import a file made from the dump"
            ])
        }
    }

    /// Page size, reserved bytes and auto_vacuum change with a VACUUM, which keeps all content.
    private static func convert(
        _ connection: Connection, report: inout Report
    ) throws(SQLiteError) {
        let size = try connection.queryInteger("PRAGMA page_size") ?? 0
        let autoVacuum = try connection.queryInteger("PRAGMA auto_vacuum") ?? 0
        let reserved = try connection.reservedBytes()
        if size != Int64(pageSize) {
            report.conversions.append("page size \(size) to \(pageSize)")
        }
        if autoVacuum != 0 { report.conversions.append("auto_vacuum to none") }
        if reserved != 0 { report.conversions.append("\(reserved) reserved bytes a page to none") }
        guard !report.conversions.isEmpty else { return }
        try connection.setReservedBytes(0)
        try connection.execute(
            "PRAGMA page_size = \(pageSize); PRAGMA auto_vacuum = NONE; VACUUM")
        guard try connection.queryInteger("PRAGMA page_size") == Int64(pageSize),
            try connection.queryInteger("PRAGMA auto_vacuum") == 0,
            try connection.reservedBytes() == 0
        else { throw Refusal.wrap(["its page format could not be converted"]) }
    }

    private static func checkIntegrity(_ connection: Connection) throws(SQLiteError) {
        let statement = try connection.prepare("PRAGMA integrity_check(5)")
        var faults: [String] = []
        while try statement.step() {
            let line = statement.text(at: 0)
            if line != "ok" { faults.append("integrity check: \(line)") }
        }
        if !faults.isEmpty { throw Refusal.wrap(faults) }
    }

    /// Carries reasons through functions that throw SQLite's errors only.
    private enum Refusal {
        private static let marker: Int32 = -1

        static func wrap(_ reasons: [String]) -> SQLiteError {
            SQLiteError(extendedCode: marker, message: reasons.joined(separator: "\n"))
        }

        static func unwrap(_ error: SQLiteError) -> StorageError {
            guard error.extendedCode == marker else {
                return isFaultOfFile(error)
                    ? .importRefused(reasons: ["the file is damaged: \(error.message)"])
                    : .sqlite(error)
            }
            return .importRefused(
                reasons: error.message.split(separator: "\n").map(String.init))
        }

        /// Damage shows wherever SQLite stumbles over it; a full disk or a lock is not the file's.
        private static func isFaultOfFile(_ error: SQLiteError) -> Bool {
            switch error.primaryCode {
            case .error, .corrupt, .notADatabase, .constraint, .mismatch, .tooBig: true
            default: false
            }
        }
    }
}
