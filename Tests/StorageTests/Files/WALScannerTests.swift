import Primitives
import SQLite
import XCTest

@testable import Storage

/// `WALScanner` against WALs that SQLite wrote, and SQLite's own recovery of damaged ones.
final class WALScannerTests: XCTestCase {
    private var folder: TemporaryFolder!
    private var connection: Connection!

    override func setUpWithError() throws {
        folder = try TemporaryFolder()
        connection = try Connection(path: folder.file("main.db"), mode: .create)
        try connection.disableCheckpointOnClose()
        try connection.execute(
            """
            PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
            CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);
            """)
    }

    override func tearDown() {
        connection.close()
        folder.remove()
    }

    private func scan(_ bytes: [UInt8]) -> WALScanner? {
        bytes.withUnsafeBytes { bytes in
            guard
                var scanner = WALScanner(
                    header: UnsafeRawBufferPointer(rebasing: bytes[..<min(32, bytes.count)]))
            else { return nil }
            var offset = 32
            while offset + WALScanner.frameSize <= bytes.count,
                scanner.append(
                    frame: UnsafeRawBufferPointer(
                        rebasing: bytes[offset..<offset + WALScanner.frameSize]))
            {
                offset += WALScanner.frameSize
            }
            return scanner
        }
    }

    private func insert(_ count: Int) throws {
        for _ in 0..<count { try connection.execute("INSERT INTO t (v) VALUES (randomblob(2000))") }
    }

    /// The frames that SQLite itself recovers from these bytes.
    private func recoveredFrameCount(_ wal: [UInt8]) throws -> Int {
        let copy = try TemporaryFolder()
        defer { copy.remove() }
        try copy.write(folder.read("main.db"), to: "main.db")
        try copy.write(wal, to: "main.db-wal")
        let other = try Connection(path: copy.file("main.db"), mode: .readWrite)
        defer { other.close() }
        try other.disableCheckpointOnClose()
        _ = try other.queryInteger("SELECT count(*) FROM sqlite_schema")
        return max(0, try other.checkpoint(.passive).walFrameCount)
    }

    func testEveryCommitIsFoundWithItsPagesAndSize() throws {
        try insert(5)
        let scanner = try XCTUnwrap(scan(folder.read("main.db-wal")))
        XCTAssertEqual(
            scanner.commits.count, 6, "the table and five rows")
        let last = try XCTUnwrap(scanner.commits.last)
        XCTAssertEqual(Int(last.lastFrame), scanner.pages.count)
        XCTAssertEqual(Int64(last.databaseSize), try connection.queryInteger("PRAGMA page_count"))
        XCTAssertEqual(scanner.pages.count, try recoveredFrameCount(folder.read("main.db-wal")))
    }

    func testStaleFramesBehindARestartDoNotCount() throws {
        try insert(20)
        let old = try XCTUnwrap(scan(folder.read("main.db-wal")))
        XCTAssertEqual(try connection.checkpoint(.passive).checkpointedFrameCount, old.pages.count)
        try insert(1)
        let bytes = try folder.read("main.db-wal")
        let new = try XCTUnwrap(scan(bytes))
        XCTAssertEqual(new.commits.count, 1)
        XCTAssertEqual(new.header.salt1, old.header.salt1 &+ 1, "lives follow each other")
        XCTAssertNotEqual(new.header, old.header)
        XCTAssertGreaterThan(bytes.count / WALScanner.frameSize, new.pages.count)
        XCTAssertEqual(try recoveredFrameCount(bytes), new.pages.count)
    }

    func testATruncatedFileEndsAtItsLastWholeFrame() throws {
        try insert(4)
        let bytes = try folder.read("main.db-wal")
        let whole = try XCTUnwrap(scan(bytes))
        for length in [0, 31, 32, 33, 32 + 4120 - 1, 32 + 4120, 32 + 2 * 4120 + 5, bytes.count - 1]
        {
            let part = Array(bytes[..<length])
            let scanner = scan(part)
            XCTAssertEqual(scanner == nil, length < 32)
            XCTAssertEqual(scanner?.pages.count ?? 0, max(0, length - 32) / 4120)
            XCTAssertEqual(
                Int(scanner?.commits.last?.lastFrame ?? 0), try recoveredFrameCount(part),
                "\(length) bytes")
        }
        XCTAssertGreaterThan(whole.pages.count, 3)
    }

    func testDamageEndsTheChainWhereverItIs() throws {
        try insert(6)
        let bytes = try folder.read("main.db-wal")
        forEachSeed(count: 40) { generator in
            var damaged = bytes
            let index = generator.number(0...bytes.count - 1)
            damaged[index] ^= 1 << UInt8(generator.number(0...7))
            let scanner = scan(damaged)
            // Bytes 16 to 23 of a frame hold its checksum, 8 to 15 the salts: all are covered.
            try require(
                (scanner?.pages.count ?? 0) == max(0, index - 32) / 4120 || index < 32,
                "byte \(index)")
            try require(index >= 32 || scanner == nil, "byte \(index) of the header")
            try require(
                Int(scanner?.commits.last?.lastFrame ?? 0) == recoveredFrameCount(damaged),
                "byte \(index): SQLite recovers something else")
        }
    }

    func testAnUncommittedTailIsSeenAndNotACommit() throws {
        try insert(1)
        let before = try XCTUnwrap(scan(folder.read("main.db-wal")))
        try connection.execute(
            "PRAGMA cache_size = 2; BEGIN; INSERT INTO t (v) SELECT randomblob(3000) FROM t, "
                + "(VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9)), (VALUES (1), (2), (3))")
        let bytes = try folder.read("main.db-wal")
        let spilled = try XCTUnwrap(scan(bytes))
        XCTAssertGreaterThan(spilled.pages.count, before.pages.count, "the cache must spill")
        XCTAssertEqual(spilled.commits, before.commits)
        XCTAssertEqual(try recoveredFrameCount(bytes), before.pages.count)
        try connection.execute("ROLLBACK")
    }

    func testOtherPageSizesAndVersionsAreNotRead() throws {
        let bytes = try folder.read("main.db-wal")
        for (offset, value) in [(0, UInt8(1)), (3, 0x84), (7, 0), (10, 0x20), (24, 0)] {
            var other = bytes
            other[offset] = value
            if other != bytes { XCTAssertNil(scan(other), "byte \(offset)") }
        }
    }

    func testPageOffsets() {
        XCTAssertEqual(WALScanner.pageOffset(frame: 1), 56)
        XCTAssertEqual(WALScanner.pageOffset(frame: 3), 56 + 2 * 4120)
        XCTAssertEqual(WALScanner.pageOffset(frame: .max), 56 + (1 << 32 - 2) * 4120)
    }
}
