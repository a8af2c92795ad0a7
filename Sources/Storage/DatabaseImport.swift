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
        let isCopied = try copyClosedWALDatabase(from: source, to: destination, progress: progress)
        do throws(SQLiteError) {
            var report = Report()
            let connection =
                isCopied
                ? try openCopy(destination)
                : try copy(from: source, to: destination, progress: progress)
            defer { connection.close() }
            try refuseOtherEncodings(connection)
            try refuseReservedBytes(connection)
            try convert(connection, report: &report, progress: progress)
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
            throw unreadableSource(error)
        }
        defer { original.close() }
        let connection = try Connection(path: destination, mode: .create)
        do {
            try connection.copy(from: original, pagesPerStep: 2048) { remaining, total in
                let fraction = total == 0 ? 1 : Double(total - remaining) / Double(total)
                progress(Progress(phase: .copy, fraction: fraction))
                return true
            }
            try connection.execute(preparation)
        } catch {
            connection.close()
            throw unreadable(error)
        }
        return connection
    }

    /// The copy is flushed as a whole once it is complete.
    private static let preparation = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF"

    /// Copies the bytes of a database in WAL mode that has no WAL: nobody has it open, the file
    /// is complete, and SQLite would leave an empty WAL beside it, or fail in a folder that it
    /// may not write to. False, and nothing is copied, for any other file.
    private static func copyClosedWALDatabase(
        from source: String, to destination: String, progress: (Progress) -> Void
    ) throws(StorageError) -> Bool {
        guard !Directory.exists(source + "-wal") else { return false }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        // What cannot be read so is for SQLite to explain.
        guard let original = try? File(path: source, mode: .read),
            (try? original.readBytes(into: &buffer, at: 0)) != nil, buffer[18] == 2
        else { return false }
        let size = try original.size()
        let copy = try File(path: destination, mode: .create)
        var done: Int64 = 0
        while done < size {
            let count = min(Int64(buffer.count), size - done)
            try original.readBytes(into: &buffer, at: done)
            try copy.write(Array(buffer.prefix(Int(count))), at: done, for: .newMain)
            done += count
            progress(Progress(phase: .copy, fraction: Double(done) / Double(size)))
        }
        return true
    }

    private static func openCopy(_ path: String) throws(SQLiteError) -> Connection {
        let connection = try Connection(path: path, mode: .create)
        do {
            _ = try connection.queryInteger("SELECT count(*) FROM sqlite_schema")
            try connection.execute(preparation)
        } catch {
            connection.close()
            throw unreadable(error)
        }
        return connection
    }

    /// What is wrong with the file is the importer's to know; what is wrong with our disk is not
    /// the file's fault.
    private static func unreadable(_ error: SQLiteError) -> SQLiteError {
        switch error.primaryCode {
        case .full, .inputOutput, .noMemory: error
        default: unreadableSource(error)
        }
    }

    private static func unreadableSource(_ error: SQLiteError) -> SQLiteError {
        Refusal.wrap(["the file cannot be read as a SQLite database: \(error.message)"])
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

    /// VACUUM only ever adds to the bytes that pages keep for extensions.
    private static func refuseReservedBytes(_ connection: Connection) throws(SQLiteError) {
        let reserved = try connection.reservedBytes()
        guard reserved == 0 else {
            throw Refusal.wrap([
                "its pages reserve \(reserved) bytes each for an extension, and those of replicas"
                    + " none; dump it with `sqlite3 FILE .dump` and import a file made from the dump"
            ])
        }
    }

    /// Page size and auto_vacuum change with a VACUUM, which keeps all content.
    private static func convert(
        _ connection: Connection, report: inout Report, progress: (Progress) -> Void
    ) throws(SQLiteError) {
        let size = try connection.queryInteger("PRAGMA page_size") ?? 0
        let autoVacuum = try connection.queryInteger("PRAGMA auto_vacuum") ?? 0
        if size != Int64(pageSize) {
            report.conversions.append("page size \(size) to \(pageSize)")
        }
        if autoVacuum != 0 { report.conversions.append("auto_vacuum to none") }
        guard !report.conversions.isEmpty else { return }
        progress(Progress(phase: .convert, fraction: nil))
        try connection.execute(
            "PRAGMA page_size = \(pageSize); PRAGMA auto_vacuum = NONE; VACUUM")
        guard try connection.queryInteger("PRAGMA page_size") == Int64(pageSize),
            try connection.queryInteger("PRAGMA auto_vacuum") == 0
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
