import Foundation
import Primitives
import XCTest

@testable import SQLite

final class ConnectionTests: XCTestCase {
    private func memory() throws -> Connection { try Connection(path: ":memory:", mode: .create) }

    private func assertThrows(
        _ name: String, line: UInt = #line, _ body: () throws -> Void
    ) {
        XCTAssertThrowsError(try body(), line: line) { error in
            XCTAssertEqual((error as? SQLiteError)?.codeName, name, line: line)
        }
    }

    func testValuesComeBackAsTheyWereBound() throws {
        let connection = try memory()
        try connection.execute("CREATE TABLE t(v)")
        let values: [SQLValue] = [
            .null, .integer(.min), .integer(.max), .integer(0), .float(1.5), .float(-0.0),
            .float(.infinity), .text(""), .text("a\0b\0"), .text("𝄞 ünï"), .blob([]),
            .blob([0, 255, 0]),
        ]
        let insert = try connection.prepare("INSERT INTO t VALUES (?) RETURNING v, typeof(v)")
        let types = [
            "null", "integer", "integer", "integer", "real", "real", "real", "text", "text",
            "text", "blob", "blob",
        ]
        for (value, type) in zip(values, types) {
            try insert.bind(value, at: 1)
            XCTAssertTrue(try insert.step())
            XCTAssertEqual(insert.value(at: 0), value)
            XCTAssertEqual(insert.text(at: 1), type)
            XCTAssertFalse(try insert.step())
            insert.reset()
        }
        XCTAssertEqual(connection.totalChanges, Int64(values.count))
        XCTAssertEqual(connection.lastInsertRowID, Int64(values.count))
    }

    func testTextLengthCountsNULs() throws {
        let connection = try memory()
        let statement = try connection.prepare("SELECT CAST(? AS BLOB)")
        try statement.bind(.text("a\0b"), at: 1)
        XCTAssertTrue(try statement.step())
        XCTAssertEqual(statement.withBlobBytes(at: 0) { Array($0) }, [97, 0, 98])
    }

    func testParameters() throws {
        let connection = try memory()
        let statement = try connection.prepare("SELECT :a, @b, $c, ?9, ?")
        XCTAssertEqual(statement.parameterCount, 10)
        XCTAssertEqual(
            (1...10).map { statement.parameterName($0) },
            [":a", "@b", "$c", nil, nil, nil, nil, nil, "?9", nil])
        XCTAssertTrue(try statement.bind(.integer(7), named: "$c"))
        XCTAssertFalse(try statement.bind(.integer(7), named: "$d"))
        assertThrows("SQLITE_RANGE") { try statement.bind(.null, at: 11) }
        assertThrows("SQLITE_RANGE") { try statement.bind(.null, at: 0) }
        XCTAssertTrue(try statement.step())
        XCTAssertEqual(statement.value(at: 2), .integer(7))
    }

    func testAScriptIsReadStatementByStatement() throws {
        let connection = try memory()
        let text = " ; SELECT 1; -- one\n ;; SELECT 'ü;' /* ; */; SELECT 3"
        let script = SQLScript(text)
        var offset = 0
        var found: [String] = []
        while true {
            let (statement, end) = try connection.prepare(script, from: offset)
            XCTAssertGreaterThanOrEqual(end, offset)
            offset = end
            guard let statement else { break }
            found.append(statement.sql)
        }
        XCTAssertEqual(offset, script.count)
        XCTAssertEqual(found.count, 3)
        XCTAssertTrue(found[1].hasSuffix("SELECT 'ü;' /* ; */;"), found[1])
        XCTAssertNil(try connection.prepare(SQLScript(" -- nothing"), from: 0).statement)
        XCTAssertNil(try connection.prepare(SQLScript(""), from: 0).statement)
        assertThrows("SQLITE_ERROR") { _ = try connection.prepare("  ") }
        XCTAssertTrue(SQLScript("a\0").holdsNUL)
        XCTAssertFalse(SQLScript("a").holdsNUL)
    }

    func testBlanksAndKeywords() {
        let rows: [(text: String, isBlank: Bool, keyword: String)] = [
            ("", true, ""), (" \t\r\n\u{c};;", true, ""), ("-- x", true, ""),
            ("-- x\ny", false, "Y"),
            ("/* x */", true, ""), ("/* x", true, ""), ("/**/;/***/ vacuum", false, "VACUUM"),
            ("/*/ x */ Select", false, "SELECT"), ("-", false, ""), ("/", false, ""),
            ("- -", false, ""), ("vacuum;", false, "VACUUM"), ("Vacuum\"main\"", false, "VACUUM"),
            ("[vacuum]", false, ""), ("\u{b}", false, ""), ("ä", false, ""),
        ]
        for row in rows {
            let script = SQLScript(row.text)
            XCTAssertEqual(script.isBlank(from: 0), row.isBlank, row.text)
            XCTAssertEqual(script.keyword(from: 0), row.keyword, row.text)
        }
    }

    /// Compiling used to copy the rest of the script for each statement.
    func testALongScriptTakesLinearTime() throws {
        let connection = try memory()
        try connection.execute("CREATE TABLE t(a)")
        let filler = String(repeating: "x", count: 500)
        try connection.execute(
            "BEGIN;" + String(repeating: "INSERT INTO t VALUES ('\(filler)');", count: 20_000)
                + "COMMIT")
        XCTAssertEqual(try connection.queryInteger("SELECT count(*) FROM t"), 20_000)
    }

    func testErrorsCarryCodeTextAndOffset() throws {
        let connection = try memory()
        try connection.execute(
            "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c NOT NULL CHECK (c > 0))")
        try connection.execute("INSERT INTO t VALUES (1, 1, 1)")
        let rows: [(String, String, String)] = [
            (
                "INSERT INTO t VALUES (2, 1, 1)", "SQLITE_CONSTRAINT_UNIQUE",
                "UNIQUE constraint failed: t.b"
            ),
            (
                "INSERT INTO t VALUES (1, 2, 1)", "SQLITE_CONSTRAINT_PRIMARYKEY",
                "UNIQUE constraint failed: t.a"
            ),
            (
                "INSERT INTO t VALUES (2, 2, NULL)", "SQLITE_CONSTRAINT_NOTNULL",
                "NOT NULL constraint failed: t.c"
            ),
            (
                "INSERT INTO t VALUES (2, 2, 0)", "SQLITE_CONSTRAINT_CHECK",
                "CHECK constraint failed: c > 0"
            ),
            ("INSERT INTO t VALUES ('x', 2, 1)", "SQLITE_MISMATCH", "datatype mismatch"),
            ("SELECT * FROM missing", "SQLITE_ERROR", "no such table: missing"),
            ("SELEC 1", "SQLITE_ERROR", "near \"SELEC\": syntax error"),
        ]
        for (sql, code, message) in rows {
            XCTAssertThrowsError(try connection.execute(sql)) { error in
                guard let error = error as? SQLiteError else { return XCTFail(sql) }
                XCTAssertEqual(error.codeName, code, sql)
                XCTAssertEqual(error.message, message, sql)
            }
        }
        XCTAssertThrowsError(try connection.execute("SELECT 1, nowhere")) { error in
            XCTAssertEqual((error as? SQLiteError)?.offset, 10)
        }
        XCTAssertEqual(SQLiteError(extendedCode: 99 << 8 | 19).codeName, "SQLITE_CONSTRAINT")
        XCTAssertEqual(SQLiteError(extendedCode: 6666).codeName, "SQLITE_IOERR_CONVPATH")
        XCTAssertEqual(SQLiteError(extendedCode: 2067).primaryCode, .constraint)
    }

    func testAFileThatCannotBeOpened() throws {
        let folder = try TemporaryFolder()
        assertThrows("SQLITE_CANTOPEN") {
            _ = try Connection(path: folder.path("missing.db"), mode: .readWrite)
        }
        try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: folder.path("x.db")))
        let connection = try Connection(path: folder.path("x.db"), mode: .readOnly)
        assertThrows("SQLITE_NOTADB") { _ = try connection.queryInteger("SELECT 1 FROM x") }
    }

    func testAfterCloseEverythingThrowsAndNothingCrashes() throws {
        let connection = try memory()
        let statement = try connection.prepare("SELECT 1")
        XCTAssertTrue(try statement.step())
        connection.close()
        connection.close()
        connection.interrupt()
        connection.setProgressDeadline(nil)
        assertThrows("SQLITE_MISUSE") { _ = try statement.step() }
        assertThrows("SQLITE_MISUSE") { try connection.execute("SELECT 1") }
        XCTAssertEqual(statement.columnCount, 0)
        XCTAssertEqual(statement.value(at: 0), .null)
    }

    func testTheDeadlineInterruptsALongStatement() throws {
        let connection = try memory()
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            + " SELECT count(*) FROM n"
        connection.setProgressDeadline(.now)
        assertThrows("SQLITE_INTERRUPT") { try connection.execute(endless) }
        XCTAssertTrue(connection.isDeadlinePassed)
        connection.setProgressDeadline(nil)
        XCTAssertFalse(connection.isDeadlinePassed)
        XCTAssertEqual(try connection.queryInteger("SELECT 1"), 1)
    }

    func testTheTimeLimitCountsForEachStatement() throws {
        let connection = try memory()
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            + " SELECT count(*) FROM n"
        for limit in [Duration.zero, .milliseconds(5), .zero] {
            connection.setTimeLimit(limit)
            let start = ContinuousClock.now
            assertThrows("SQLITE_INTERRUPT") { try connection.execute(endless) }
            XCTAssertGreaterThanOrEqual(ContinuousClock.now - start, limit)
            XCTAssertTrue(connection.isDeadlinePassed)
            connection.setTimeLimit(.seconds(600))
            XCTAssertFalse(connection.isDeadlinePassed)
            XCTAssertEqual(try connection.queryInteger("SELECT 1"), 1)
        }
        // A stop check that comes and goes leaves the limit as it is.
        connection.setTimeLimit(.milliseconds(1))
        connection.setStopCheck { false }
        connection.setStopCheck(nil)
        assertThrows("SQLITE_INTERRUPT") { try connection.execute(endless) }
        XCTAssertTrue(connection.isDeadlinePassed)
        XCTAssertFalse(connection.isStopped)
    }

    func testAStopCheckInterruptsBesideADeadline() throws {
        let connection = try memory()
        let long =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
            + " SELECT count(*) FROM n"
        var mustStop = false
        connection.setStopCheck { mustStop }
        for deadline in [nil, ContinuousClock.now + .seconds(600)] {
            connection.setProgressDeadline(deadline)
            mustStop = false
            XCTAssertEqual(try connection.queryInteger(long), 9999)
            XCTAssertFalse(connection.isStopped)
            mustStop = true
            assertThrows("SQLITE_INTERRUPT") { try connection.execute(long) }
            XCTAssertTrue(connection.isStopped)
            XCTAssertFalse(connection.isDeadlinePassed)
        }
        connection.setProgressDeadline(nil)
        XCTAssertFalse(connection.isStopped)
        assertThrows("SQLITE_INTERRUPT") { try connection.execute(long) }
        connection.setStopCheck(nil)
        XCTAssertEqual(try connection.queryInteger(long), 9999)
    }

    func testTheBusyTimeoutIsInWholeMilliseconds() throws {
        let connection = try memory()
        let rows: [(Duration, Int64)] = [
            (.zero, 0), (.milliseconds(1500), 1500), (.seconds(2), 2000), (.seconds(-1), 0),
            (.seconds(1 << 40), Int64(Int32.max)),
        ]
        for (timeout, milliseconds) in rows {
            connection.setBusyTimeout(timeout)
            XCTAssertEqual(try connection.queryInteger("PRAGMA busy_timeout"), milliseconds)
        }
    }

    func testInterruptFromAnotherThread() throws {
        let connection = try memory()
        let isStopped = expectation(description: "stopped")
        let isRunning = DispatchSemaphore(value: 0)
        final class Signal: AuthorizerPolicy {
            let semaphore: DispatchSemaphore
            init(_ semaphore: DispatchSemaphore) { self.semaphore = semaphore }
            func decide(_ request: AuthorizerRequest) -> AuthorizerDecision {
                semaphore.signal()
                return .allow
            }
        }
        connection.setAuthorizer(Signal(isRunning))
        DispatchQueue.global().async {
            do {
                try connection.execute(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                        + " SELECT count(*) FROM n")
            } catch {
                if (error as? SQLiteError)?.primaryCode == .interrupt { isStopped.fulfill() }
            }
        }
        isRunning.wait()
        // An interrupt before the first step is forgotten, so repeat it until it was seen.
        let ending = DispatchQueue(label: "interrupts")
        let timer = DispatchSource.makeTimerSource(queue: ending)
        timer.schedule(deadline: .now(), repeating: .milliseconds(1))
        timer.setEventHandler { connection.interrupt() }
        timer.resume()
        wait(for: [isStopped], timeout: 30)
        timer.cancel()
    }

    func testCheckpointsReportTheirFrames() throws {
        let folder = try TemporaryFolder()
        let connection = try Connection(path: folder.path("a.db"), mode: .create)
        XCTAssertEqual(try connection.queryText("PRAGMA journal_mode=WAL"), "wal")
        try connection.execute("CREATE TABLE t(a)")
        try connection.execute("INSERT INTO t VALUES (1)")

        let reader = try Connection(path: folder.path("a.db"), mode: .readOnly)
        try reader.execute("BEGIN; SELECT * FROM t")
        let passive = try connection.checkpoint(.passive)
        XCTAssertEqual(
            passive, CheckpointResult(isBusy: false, walFrameCount: 3, checkpointedFrameCount: 3))
        XCTAssertTrue(try connection.checkpoint(.truncate).isBusy)
        try reader.execute("COMMIT")
        XCTAssertEqual(
            try connection.checkpoint(.truncate),
            CheckpointResult(isBusy: false, walFrameCount: 0, checkpointedFrameCount: 0))
    }

    func testTheWALSurvivesTheLastConnection() throws {
        let folder = try TemporaryFolder()
        let connection = try Connection(path: folder.path("a.db"), mode: .create)
        _ = try connection.queryText("PRAGMA journal_mode=WAL")
        try connection.disableCheckpointOnClose()
        try connection.persistWAL()
        try connection.execute("CREATE TABLE t(a)")
        connection.close()
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path("a.db-wal"))
        XCTAssertGreaterThan(attributes[.size] as? Int ?? 0, 4096)
    }

    func testSwitches() throws {
        let connection = try memory()
        try connection.execute(
            """
            CREATE TABLE p(id INTEGER PRIMARY KEY);
            CREATE TABLE c(p REFERENCES p(id)); CREATE TABLE log(a);
            CREATE TRIGGER tr AFTER INSERT ON p BEGIN INSERT INTO log VALUES (new.id); END;
            """)
        try connection.setForeignKeysEnabled(true)
        XCTAssertTrue(try connection.areForeignKeysEnabled())
        assertThrows("SQLITE_CONSTRAINT_FOREIGNKEY") {
            try connection.execute("INSERT INTO c VALUES (5)")
        }
        try connection.setForeignKeysEnabled(false)
        try connection.execute("INSERT INTO c VALUES (5)")
        try connection.setTriggersEnabled(false)
        try connection.execute("INSERT INTO p VALUES (1)")
        try connection.setTriggersEnabled(true)
        try connection.execute("INSERT INTO p VALUES (2)")
        XCTAssertEqual(try connection.queryText("SELECT group_concat(a) FROM log"), "2")
        try connection.setDefensive(true)
        try connection.execute("PRAGMA writable_schema=ON")
        assertThrows("SQLITE_ERROR") { try connection.execute("DELETE FROM sqlite_schema") }
        XCTAssertEqual(try connection.queryInteger("PRAGMA trusted_schema"), 0)
        connection.setLimit(.sqlLength, to: 20)
        assertThrows("SQLITE_TOOBIG") {
            try connection.execute("SELECT 1, 2, 3, 4, 5, 6, 7, 8, 9, 10")
        }
    }

    func testTheAuthorizerSeesAndDecides() throws {
        final class Recorder: AuthorizerPolicy {
            var seen: [String] = []
            func decide(_ request: AuthorizerRequest) -> AuthorizerDecision {
                seen.append(
                    "\(request.action.rawValue) \(request.first ?? "-") \(request.second ?? "-")")
                if request.action == .attach { return .deny }
                if request.action == .read, request.second == "secret" { return .ignore }
                return .allow
            }
        }
        let connection = try memory()
        try connection.execute("CREATE TABLE t(a, secret); INSERT INTO t VALUES (1, 2)")
        let recorder = Recorder()
        connection.setAuthorizer(recorder)
        assertThrows("SQLITE_AUTH") { try connection.execute("ATTACH ':memory:' AS x") }
        let statement = try connection.prepare("SELECT a, secret FROM t")
        XCTAssertTrue(try statement.step())
        XCTAssertEqual([statement.value(at: 0), statement.value(at: 1)], [.integer(1), .null])
        XCTAssertTrue(recorder.seen.contains("20 t secret"), "\(recorder.seen)")
        connection.setAuthorizer(nil)
        try connection.execute("ATTACH ':memory:' AS x")
    }

    func testBackupCopiesAndReportsAndStops() throws {
        let folder = try TemporaryFolder()
        let source = try Connection(path: folder.path("a.db"), mode: .create)
        try source.execute("CREATE TABLE t(a)")
        try source.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
                + " INSERT INTO t SELECT randomblob(2000) FROM n")
        let target = try Connection(path: folder.path("b.db"), mode: .create)
        var reports: [Int] = []
        try target.copy(from: source, pagesPerStep: 10) { remaining, total in
            XCTAssertLessThanOrEqual(remaining, total)
            reports.append(remaining)
            return true
        }
        XCTAssertEqual(reports, reports.sorted(by: >))
        XCTAssertEqual(reports.last, 0)
        XCTAssertEqual(try target.queryText("PRAGMA integrity_check"), "ok")
        XCTAssertEqual(try target.queryInteger("SELECT count(*) FROM t"), 100)

        try source.execute("DELETE FROM t")
        assertThrows("SQLITE_INTERRUPT") {
            try target.copy(from: source, pagesPerStep: 1) { _, _ in false }
        }
        XCTAssertEqual(try target.queryInteger("SELECT count(*) FROM t"), 100)
    }

    func testReadOnlyStatementsAreKnown() throws {
        let connection = try memory()
        try connection.execute("CREATE TABLE t(a)")
        let rows: [(String, Bool)] = [
            ("SELECT 1", true), ("BEGIN", true), ("BEGIN IMMEDIATE", false), ("COMMIT", true),
            ("SAVEPOINT s", true), ("INSERT INTO t VALUES (1)", false),
            ("CREATE TABLE IF NOT EXISTS t(a)", false), ("CREATE TABLE u(a)", false),
            ("PRAGMA user_version", true), ("PRAGMA user_version = 3", false),
            ("EXPLAIN INSERT INTO t VALUES (1)", false), ("VACUUM", false),
        ]
        for (sql, isReadOnly) in rows {
            let statement = try connection.prepare(sql)
            XCTAssertEqual(statement.isReadOnly, isReadOnly, sql)
            XCTAssertEqual(statement.isExplain, sql.hasPrefix("EXPLAIN"), sql)
        }
    }
}
