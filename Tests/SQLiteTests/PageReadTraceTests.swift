import Foundation
import Primitives
import XCTest

@testable import SQLite

/// Which pages a statement reads, in a database whose trees are known well enough to count them.
final class PageReadTraceTests: XCTestCase {
    private var folder: TemporaryFolder!
    private var shared: SharedDatabaseFile!
    private var writer: Connection!

    override func setUpWithError() throws {
        folder = try TemporaryFolder()
        shared = SharedDatabaseFile(path: folder.path("main.db"))
        DatabaseVFS.register(shared)
        writer = try open(mode: .create)
        try writer.execute("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL")
        try writer.execute("PRAGMA wal_autocheckpoint = 0")
    }

    override func tearDownWithError() throws {
        writer.close()
        DatabaseVFS.unregister(shared)
        folder = nil
    }

    private func open(mode: Connection.OpenMode = .readWrite) throws -> Connection {
        try Connection(path: folder.path("main.db"), mode: mode, vfsName: DatabaseVFS.name)
    }

    /// 3000 rows with ids and a unique key, and long rows that overflow.
    private func fill() throws {
        try writer.registerGenerateSeries()
        try writer.execute(
            """
            CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT UNIQUE, v);
            INSERT INTO t SELECT value, 'key ' || value, zeroblob(1500)
                FROM generate_series(1, 3000);
            CREATE TABLE long(id INTEGER PRIMARY KEY, v);
            INSERT INTO long SELECT value, zeroblob(20000) FROM generate_series(1, 5);
            """)
    }

    private func trace(_ sql: String, limit: Int = 10_000) throws -> PageReadTrace {
        let connection = try open()
        defer { connection.close() }
        let trace = PageReadTrace(maximumPageCount: limit)
        try connection.traceReads(into: trace)
        try connection.execute(sql)
        return trace
    }

    private func traced(_ sql: String) throws -> [Int] {
        try trace(sql).pages.map { Int($0.rawValue) }
    }

    func testALookupReadsOnePathAndThisInTheWALAndInTheMainFile() throws {
        try fill()
        let lookup = "SELECT length(v) FROM t WHERE id = 1234"
        let keyed = "SELECT length(v) FROM t WHERE k = 'key 1234'"
        let fromWAL = (try traced(lookup), try traced(keyed))
        XCTAssertGreaterThan(try XCTUnwrap(shared.walIndexHeader()).lastFrame, 0)
        XCTAssertFalse(try writer.checkpoint(.truncate).isBusy)
        let fromMainFile = (try traced(lookup), try traced(keyed))
        XCTAssertEqual(fromWAL.0, fromMainFile.0)
        XCTAssertEqual(fromWAL.1, fromMainFile.1)
        // Page 1, the root of the table and a leaf; and root and leaf of the index.
        XCTAssertEqual(fromWAL.0.first, 1)
        XCTAssertLessThanOrEqual(fromWAL.0.count, 4)
        XCTAssertGreaterThanOrEqual(fromWAL.0.count, 3)
        XCTAssertLessThanOrEqual(fromWAL.1.count, 6)
        XCTAssertTrue(Set(fromWAL.0).isSubset(of: fromWAL.1))
    }

    /// Some pages in the WAL, the others in the main file.
    func testPagesOfBothFilesAreTraced() throws {
        try fill()
        let scan = "SELECT sum(length(v)) FROM t"
        let before = try traced(scan)
        try writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try writer.execute("UPDATE t SET v = randomblob(1500) WHERE id % 500 = 0")
        XCTAssertGreaterThan(try XCTUnwrap(shared.walIndexHeader()).lastFrame, 0)
        XCTAssertEqual(try traced(scan), before)
        XCTAssertGreaterThan(before.count, 1000)
    }

    /// Overflow pages too, which SQLite may read straight into the row.
    func testOverflowPagesAreTraced() throws {
        try fill()
        let (wanted, whole) = (
            "SELECT v FROM long WHERE id = 3", "SELECT v FROM long"
        )
        for _ in 0..<2 {
            let one = try traced(wanted)
            // 20,000 bytes are four or five overflow pages; and page 1, the root and perhaps a leaf.
            XCTAssertGreaterThanOrEqual(one.count, 6)
            XCTAssertLessThanOrEqual(one.count, 8)
            XCTAssertGreaterThanOrEqual(try traced(whole).count, 22)
            try writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        }
    }

    /// The schema spreads over many pages, which every client needs.
    func testTheSchemaIsTraced() throws {
        try fill()
        let lookup = "SELECT id FROM t WHERE id = 7"
        let before = try traced(lookup)
        for index in 0..<30 {
            let comment = String(repeating: "x", count: 1000)
            try writer.execute("CREATE TABLE t\(index)(a /* \(comment) */)")
        }
        XCTAssertGreaterThanOrEqual(try traced(lookup).count, before.count + 30 * 1000 / 4096)
    }

    func testACacheHidesReads() throws {
        try fill()
        let connection = try open()
        defer { connection.close() }
        let lookup = "SELECT id FROM t WHERE id = 7"
        try connection.execute(lookup)
        let warm = PageReadTrace(maximumPageCount: 100)
        try connection.traceReads(into: warm)
        try connection.execute(lookup)
        let (warmPages, coldPages) = (warm.pages.map { Int($0.rawValue) }, try traced(lookup))
        XCTAssertLessThan(warmPages.count, coldPages.count)
    }

    func testConnectionsAreTracedApart() throws {
        try fill()
        let other = try open()
        defer { other.close() }
        let connection = try open()
        defer { connection.close() }
        let trace = PageReadTrace(maximumPageCount: 10_000)
        try connection.traceReads(into: trace)
        try other.execute("SELECT sum(length(v)) FROM t")
        XCTAssertEqual(trace.pages, [])
    }

    func testAFullTraceInterrupts() throws {
        try fill()
        for sql in [
            "SELECT count(*) FROM t NOT INDEXED", "SELECT v FROM t", "PRAGMA integrity_check",
        ] {
            let connection = try open()
            defer { connection.close() }
            let trace = PageReadTrace(maximumPageCount: 50)
            try connection.traceReads(into: trace)
            XCTAssertThrowsError(try connection.execute(sql), sql) { error in
                XCTAssertEqual((error as? SQLiteError)?.primaryCode, .interrupt)
            }
            XCTAssertEqual(trace.pages.count, 50)
            XCTAssertEqual(trace.cut, .pages)
        }
    }

    /// Exactly as many pages as the limit are no reason to stop.
    func testAnExactLimitIsEnough() throws {
        try fill()
        let lookup = "SELECT id FROM t WHERE id = 7"
        let needed = try traced(lookup).count
        XCTAssertNil(try trace(lookup, limit: needed).cut)
        XCTAssertThrowsError(try trace(lookup, limit: needed - 1))
    }

    func testAPassedDeadlineInterruptsReads() throws {
        try fill()
        let connection = try open()
        defer { connection.close() }
        let trace = PageReadTrace(maximumPageCount: 10_000)
        try connection.traceReads(into: trace)
        connection.setProgressDeadline(.now)
        // One instruction reads all pages: the progress callback never runs.
        XCTAssertThrowsError(try connection.execute("SELECT count(*) FROM t NOT INDEXED"))
        XCTAssertEqual(trace.cut, .time)
        XCTAssertTrue(connection.isDeadlinePassed)
        XCTAssertLessThan(trace.pages.count, 20)
    }

    func testStopInterruptsFromAnotherThread() throws {
        try fill()
        let connection = try open()
        defer { connection.close() }
        let trace = PageReadTrace(maximumPageCount: 10_000)
        try connection.traceReads(into: trace)
        let statement = try connection.prepare("SELECT a.v FROM t a, t b, t c")
        XCTAssertTrue(try statement.step())
        let stopped = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            trace.stop()
            stopped.signal()
        }
        stopped.wait()
        XCTAssertThrowsError(try { while try statement.step() {} }())
        XCTAssertEqual(trace.cut, .stopped)
        statement.reset()
        // Later statements are as well, as soon as they read.
        XCTAssertThrowsError(try connection.execute("SELECT count(*) FROM long"))
    }
}
