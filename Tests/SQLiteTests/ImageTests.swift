import Foundation
import Primitives
import XCTest

@testable import SQLite

/// Databases that are pages in memory.
final class ImageTests: XCTestCase {
    /// Pages in a row, each 4096 bytes; fails where it is told to.
    private final class Pages: PageSource {
        let databaseSize: UInt32
        private let bytes: [UInt8]
        var failingPage: UInt32?
        private(set) var reads: [UInt32] = []

        init(_ bytes: [UInt8], databaseSize: UInt32? = nil) {
            self.bytes = bytes
            self.databaseSize = databaseSize ?? UInt32(bytes.count / pageSize)
        }

        func read(
            page: UInt32, into buffer: UnsafeMutableRawBufferPointer
        ) throws(SQLiteError) {
            precondition((1...databaseSize).contains(page) && buffer.count == pageSize)
            reads.append(page)
            if page == failingPage { throw SQLiteError(extendedCode: 10) }
            let start = Int(page - 1) * pageSize
            for index in 0..<pageSize {
                buffer[index] = start + index < bytes.count ? bytes[start + index] : 0
            }
        }
    }

    /// The bytes of a database file in WAL mode that `sql` made.
    private func database(_ sql: String) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        let connection = try Connection(path: folder.path("main.db"), mode: .create)
        try connection.registerGenerateSeries()
        try connection.execute("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL")
        try connection.execute(sql)
        XCTAssertFalse(try connection.checkpoint(.truncate).isBusy)
        connection.close()
        let bytes = [UInt8](
            try Data(contentsOf: URL(fileURLWithPath: folder.path("main.db"))))
        XCTAssertEqual(bytes[18...19], [2, 2])
        return bytes
    }

    private func filled(_ rows: Int = 500) throws -> [UInt8] {
        try database(
            """
            CREATE TABLE t(id INTEGER PRIMARY KEY, k UNIQUE, v);
            INSERT INTO t SELECT value, 'key ' || value, zeroblob(900)
                FROM generate_series(1, \(rows));
            """)
    }

    private func assertThrows(
        _ code: SQLiteError.PrimaryCode, _ body: @autoclosure () throws -> Void,
        line: UInt = #line
    ) {
        XCTAssertThrowsError(try body(), line: line) { error in
            XCTAssertEqual((error as? SQLiteError)?.primaryCode, code, "\(error)", line: line)
        }
    }

    func testAnImageIsReadLikeAFile() throws {
        let pages = Pages(try filled())
        let connection = try Connection.open(image: pages)
        defer { connection.close() }
        XCTAssertEqual(try connection.queryInteger("SELECT count(*) FROM t"), 500)
        XCTAssertEqual(try connection.queryInteger("SELECT id FROM t WHERE k = 'key 77'"), 77)
        XCTAssertEqual(try connection.queryText("PRAGMA integrity_check"), "ok")
        XCTAssertEqual(
            try connection.queryInteger("PRAGMA page_count"), Int64(pages.databaseSize))
        XCTAssertEqual(Set(pages.reads), Set(1...pages.databaseSize))
    }

    func testNothingCanBeWrittenOrOpened() throws {
        let connection = try Connection.open(image: Pages(try filled(5)))
        defer { connection.close() }
        for sql in [
            "INSERT INTO t(k) VALUES (1)", "CREATE TABLE u(a)", "PRAGMA user_version = 3",
            "DELETE FROM t", "DROP TABLE t",
        ] {
            assertThrows(.readOnly, try connection.execute(sql))
        }
        assertThrows(.error, try connection.execute("ATTACH 'other.db' AS other"))
        assertThrows(.error, try connection.execute("VACUUM"))
        assertThrows(.error, try connection.execute("VACUUM INTO 'copy.db'"))
        // Still usable, and what must go somewhere stays in memory.
        XCTAssertEqual(
            try connection.queryInteger("SELECT id FROM t ORDER BY random() + v LIMIT 1") != nil,
            true)
        XCTAssertNotEqual(try connection.queryText("PRAGMA journal_mode = DELETE"), "wal")
        for name in ["image-1", "image-1-journal", "image-1-wal", "other.db", "copy.db"] {
            XCTAssertFalse(FileManager.default.fileExists(atPath: name), name)
        }
    }

    func testConnectionsReadTheirOwnImages() throws {
        let (small, large) = (try filled(3), try filled(600))
        DispatchQueue.concurrentPerform(iterations: 16) { index in
            do {
                let connection = try Connection.open(
                    image: Pages(index % 2 == 0 ? small : large))
                defer { connection.close() }
                for _ in 0..<5 {
                    XCTAssertEqual(
                        try connection.queryInteger("SELECT count(*) FROM t NOT INDEXED"),
                        index % 2 == 0 ? 3 : 600)
                }
            } catch {
                XCTFail("\(error)")
            }
        }
    }

    func testASourceLivesAsLongAsItsConnection() throws {
        let bytes = try filled(3)
        weak var released: Pages?
        do {
            let pages = Pages(bytes)
            released = pages
            let connection = try Connection.open(image: pages)
            XCTAssertEqual(try connection.queryInteger("SELECT count(*) FROM t"), 3)
            connection.close()
        }
        XCTAssertNil(released)
    }

    /// The size is whatever somebody said it is.
    func testAnySizeIsAnswered() throws {
        let bytes = try filled()
        let count = UInt32(bytes.count / pageSize)
        for size in [0, 1, 2, count - 1, count, count + 1, 262_145, .max] {
            let connection = try Connection.open(image: Pages(bytes, databaseSize: size))
            defer { connection.close() }
            let read = Swift.Result {
                try connection.queryInteger("SELECT count(*) FROM t NOT INDEXED")
            }
            switch read {
            case .success(let rows):
                XCTAssertEqual(rows, 500, "\(size)")
                XCTAssertGreaterThanOrEqual(size, count - 1)
            case .failure(let error):
                XCTAssertLessThan(size, count, "\(error)")
            }
        }
    }

    func testReadsOfAnyPlaceAndLength() throws {
        let bytes = try filled(20)
        let file = ImageFile(source: Pages(bytes))
        XCTAssertEqual(file.size, Int64(bytes.count))
        // Versions 1 hide that it was in WAL mode.
        var shown = bytes
        shown[18] = 1
        shown[19] = 1
        for (offset, count) in [
            (0, 100), (0, 16), (24, 16), (0, 4096), (18, 1), (19, 1), (17, 2), (19, 5),
            (4096, 4096),
            (4000, 200), (4095, 2), (0, 12288), (bytes.count - 10, 10),
        ] {
            var buffer = [UInt8](repeating: 0xAA, count: count)
            let code = buffer.withUnsafeMutableBytes { file.read(into: $0, at: Int64(offset)) }
            XCTAssertEqual(code, 0)
            XCTAssertEqual(buffer, Array(shown[offset..<offset + count]), "\(offset), \(count)")
        }
        for (offset, count, known) in [
            (bytes.count - 10, 30, 10), (bytes.count, 100, 0), (1 << 40, 8, 0),
        ] {
            var buffer = [UInt8](repeating: 0xAA, count: count)
            let code = buffer.withUnsafeMutableBytes { file.read(into: $0, at: Int64(offset)) }
            XCTAssertEqual(code, 522, "SQLITE_IOERR_SHORT_READ")
            XCTAssertEqual(
                buffer, shown.suffix(known) + [UInt8](repeating: 0, count: count - known))
        }
    }

    func testAnErrorOfTheSourceIsTheStatements() throws {
        let pages = Pages(try filled())
        let connection = try Connection.open(image: pages)
        defer { connection.close() }
        pages.failingPage = 7
        assertThrows(.inputOutput, try connection.execute("SELECT count(*) FROM t NOT INDEXED"))
    }

    func testWhatIsNoDatabaseIsRefused() throws {
        for bytes in [
            [UInt8](repeating: 0, count: 4096), [UInt8](repeating: 0xFF, count: 8192),
            Array("SQLite format 3\0".utf8) + [UInt8](repeating: 7, count: 4080),
        ] {
            let connection = try Connection.open(image: Pages(bytes))
            defer { connection.close() }
            assertThrows(.notADatabase, try connection.execute("SELECT * FROM sqlite_schema"))
        }
    }

    func testADeadlineEndsAnIntegrityCheck() throws {
        let connection = try Connection.open(image: Pages(try filled(3000)))
        defer { connection.close() }
        try connection.execute("SELECT * FROM sqlite_schema")
        connection.setProgressDeadline(.now)
        assertThrows(.interrupt, try connection.execute("PRAGMA quick_check"))
        XCTAssertTrue(connection.isDeadlinePassed)
    }

    /// Each view reads the one before twice; expanding the last one would take for ever.
    func testViewsAreNotExpanded() throws {
        let views = (1...60).map {
            "CREATE VIEW v\($0) AS SELECT a.x FROM v\($0 - 1) a, v\($0 - 1)"
        }
        let image = Pages(
            try database(
                "CREATE TABLE v0(x);"
                    + "PRAGMA writable_schema = ON;"
                    + views.enumerated().map {
                        "INSERT INTO sqlite_schema VALUES"
                            + "('view', 'v\($0 + 1)', 'v\($0 + 1)', 0, '\($1)');"
                    }.joined()))
        let connection = try Connection.open(image: image)
        defer { connection.close() }
        assertThrows(.error, try connection.execute("SELECT * FROM v60"))
        XCTAssertEqual(try connection.queryInteger("SELECT count(*) FROM sqlite_schema"), 61)
    }

    /// A tree as deep as it has pages: SQLite's check calls itself once for each.
    func testACheckOfADeepTreeEnds() throws {
        var bytes = try database("CREATE TABLE t(x)")
        let root = 2
        XCTAssertEqual(bytes.count, 2 * pageSize)
        let depth = 100_000
        bytes += [UInt8](repeating: 0, count: depth * pageSize)
        func bigEndian(_ number: Int) -> [UInt8] {
            (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
        }
        bytes.replaceSubrange(28..<32, with: bigEndian(depth + 2))
        for page in root..<root + depth {
            // The interior of a table without cells, whose right child is the next page.
            let start = (page - 1) * pageSize
            bytes.replaceSubrange(
                start..<start + 12, with: [5, 0, 0, 0, 0, 0x10, 0, 0] + bigEndian(page + 1))
        }
        let connection = try Connection.open(image: Pages(bytes))
        defer { connection.close() }
        XCTAssertNotEqual(try? connection.queryText("PRAGMA quick_check(1)"), "ok")
    }
}
