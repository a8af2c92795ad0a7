import Foundation
import Primitives
import SQLite
import XCTest

@testable import Storage

final class ImportTests: XCTestCase {
    private var fixture: StorageFixture!
    private var folder: TemporaryFolder!
    private let imported = DatabaseName("imported")!

    override func setUpWithError() throws {
        fixture = try StorageFixture()
        folder = try TemporaryFolder()
    }

    override func tearDown() {
        fixture.tearDown()
        folder.remove()
    }

    private func makeSource(_ sql: String, keepWAL: Bool = false) throws -> String {
        let path = folder.file("source.db")
        let connection = try Connection(path: path, mode: .create)
        try connection.execute(sql)
        if keepWAL {
            // What a program leaves that was killed: the content is in the WAL.
            for suffix in ["", "-wal"] {
                try FileManager.default.copyItem(
                    atPath: path + suffix, toPath: folder.file("killed.db") + suffix)
            }
        }
        connection.close()
        return keepWAL ? folder.file("killed.db") : path
    }

    private func importFile(
        _ path: String, check: @escaping DatabaseImport.Check = { _ in ([], []) }
    ) throws -> DatabaseImport.Report {
        try fixture.store.importDatabase(imported, from: path, check: check, progress: { _ in })
    }

    private static let rows = """
        CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
        INSERT INTO t (v) SELECT hex(randomblob(200)) FROM generate_series_stand_in;
        CREATE INDEX i ON t (v);
        """.replacingOccurrences(
            of: "generate_series_stand_in",
            with:
                "(WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 300)"
                + " SELECT x FROM n)")

    func testSourcesOfAnyFormatAreConverted() throws {
        let rows: [(name: String, setup: String, keepWAL: Bool, conversions: Int)] = [
            ("as it must be", "PRAGMA page_size = 4096;", false, 0),
            ("small pages", "PRAGMA page_size = 512;", false, 1),
            ("large pages", "PRAGMA page_size = 65536;", false, 1),
            ("auto_vacuum", "PRAGMA auto_vacuum = FULL;", false, 1),
            ("incremental", "PRAGMA page_size = 1024; PRAGMA auto_vacuum = INCREMENTAL;", false, 2),
            ("WAL mode", "PRAGMA journal_mode = WAL;", false, 0),
            (
                "content in the WAL",
                "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;",
                true, 1
            ),
        ]
        for row in rows {
            let source = try makeSource(row.setup + Self.rows, keepWAL: row.keepWAL)
            let report = try importFile(source)
            XCTAssertEqual(report.conversions.count, row.conversions, row.name)
            try checkImported(report, row.name)
            tearDown()
            try setUpWithError()
        }
    }

    /// VACUUM can add such bytes and not take them away.
    func testNothingIsLeftBesideAClosedWALDatabase() throws {
        let path = try makeSource("PRAGMA journal_mode = WAL;" + Self.rows)
        let folderPath = String(path.dropLast("/source.db".count))
        let before = try FileManager.default.contentsOfDirectory(atPath: folderPath)
        XCTAssertEqual(before, ["source.db"])
        XCTAssertGreaterThan(try importFile(path).pageCount, 10)
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folderPath), before)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t", on: imported), 300)
    }

    func testReservedBytesAreRefused() throws {
        let path = folder.file("source.db")
        let connection = try Connection(path: path, mode: .create)
        try connection.setReservedBytes(32)
        try connection.execute(Self.rows)
        XCTAssertEqual(try connection.reservedBytes(), 32)
        connection.close()
        XCTAssertThrowsError(try importFile(path)) { error in
            guard case StorageError.importRefused? = error as? StorageError else {
                return XCTFail("\(error)")
            }
        }
        try checkNothingIsLeft(path)
    }

    private func checkImported(_ report: DatabaseImport.Report, _ message: String) throws {
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t", on: imported), 300, message)
        let database = try fixture.acquire(imported).database
        XCTAssertEqual(Int(database.head.databaseSize), report.pageCount, message)
        XCTAssertEqual(database.head.revision.commit, CommitNumber(1), message)
        let image = try fixture.image(of: database.snapshot())
        XCTAssertEqual(Array(image[16..<21]), [16, 0, 2, 2, 0], "page size, WAL mode: \(message)")
        try fixture.withImage(image) { connection in
            XCTAssertEqual(try connection.queryText("PRAGMA integrity_check"), "ok", message)
            XCTAssertEqual(try connection.queryInteger("PRAGMA auto_vacuum"), 0, message)
        }
        try fixture.execute("INSERT INTO t (v) VALUES ('more')", on: imported)
        try fixture.reopen()
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t", on: imported), 301, message)
    }

    func testWhatReplicasCannotHoldIsRefusedAndLeavesNothing() throws {
        var damaged = [UInt8](
            try Data(
                contentsOf: URL(fileURLWithPath: makeSource("PRAGMA page_size = 4096;" + Self.rows))
            ))
        for index in 4096 * 3..<4096 * 6 { damaged[index] = UInt8(truncatingIfNeeded: index &* 31) }
        try folder.write(damaged, to: "damaged.db")
        try folder.write(damaged[..<(4096 * 4 + 100)], to: "cut.db")
        try folder.write(Array("no database at all, but some text".utf8), to: "text.db")
        try folder.write([UInt8](repeating: 0xFF, count: 8192), to: "noise.db")
        try FileManager.default.removeItem(atPath: folder.file("source.db"))
        let utf16 = try makeSource("PRAGMA encoding = 'UTF-16'; CREATE TABLE t (a)")
        let paths =
            ["damaged.db", "cut.db", "text.db", "noise.db", "missing.db"].map { folder.file($0) }
            + [utf16, folder.path]
        for path in paths {
            XCTAssertThrowsError(try importFile(path), path) { error in
                guard case StorageError.importRefused(let reasons)? = error as? StorageError else {
                    return XCTFail("\(path): \(error)")
                }
                XCTAssertFalse(reasons.isEmpty)
            }
            try checkNothingIsLeft(path)
        }
        XCTAssertThrowsError(try importFile(utf16, check: { _ in (["because"], []) }))
    }

    func testACheckCanRefuseAndWarn() throws {
        let path = try makeSource(Self.rows)
        XCTAssertThrowsError(try importFile(path, check: { _ in (["one", "two"], []) })) { error in
            guard case StorageError.importRefused(["one", "two"])? = error as? StorageError else {
                return XCTFail("\(error)")
            }
        }
        try checkNothingIsLeft(path)
        XCTAssertEqual(try importFile(path, check: { _ in ([], ["mind"]) }).warnings, ["mind"])
        XCTAssertThrowsError(try importFile(path)) { error in
            guard case StorageError.databaseExists? = error as? StorageError else {
                return XCTFail("\(error)")
            }
        }
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t", on: imported), 300)
    }

    func testADiskThatFailsDuringAnImportLeavesNothing() throws {
        let path = try makeSource(Self.rows)
        defer { FileOperationHook.handler = nil }
        for failing in 0..<5 {
            let count = Counter()
            FileOperationHook.handler = { event in
                event.path.contains("/databases") && count.next() == failing + 1
                    ? .fails(ENOSPC) : .goesOn
            }
            XCTAssertThrowsError(try importFile(path), "\(failing)")
            FileOperationHook.handler = nil
            // A crash would have the same effect: the next start removes what is left.
            try fixture.reopen()
            try checkNothingIsLeft("operation \(failing)")
        }
    }

    func testAnEmptyFileIsAnEmptyDatabase() throws {
        try folder.write([], to: "empty.db")
        XCTAssertEqual(try importFile(folder.file("empty.db")).pageCount, 1)
        let database = try fixture.acquire(imported).database
        XCTAssertEqual(database.head.databaseSize, 1)
        try fixture.execute("CREATE TABLE t (a)", on: imported)
    }

    private func checkNothingIsLeft(_ message: String, line: UInt = #line) throws {
        XCTAssertEqual(
            try FileManager.default.contentsOfDirectory(atPath: fixture.directory + "/databases"),
            ["default"], message, line: line)
        XCTAssertFalse(fixture.store.contains(imported), message, line: line)
    }

    func testExportAndForkHoldTheSnapshotAndNothingElse() throws {
        try fixture.execute(Self.rows)
        let database = try fixture.acquire().database
        let snapshot = try database.snapshot()
        let image = try fixture.image(of: snapshot)
        try fixture.execute("DELETE FROM t; VACUUM")
        let exporter = SnapshotExporter(snapshot)
        var exported: [UInt8] = []
        while let piece = try exporter.nextPiece(maximumBytes: 10_000) {
            XCTAssertLessThanOrEqual(piece.count, 10_000)
            exported += piece
        }
        XCTAssertEqual(exported.count, image.count)
        XCTAssertEqual(Array(exported[18..<20]), [1, 1], "it opens without a WAL")
        exported.replaceSubrange(18..<20, with: [2, 2])
        XCTAssertEqual(exported == image, true)
        try fixture.store.create(imported, copying: snapshot)
        let fork = try fixture.acquire(imported).database
        XCTAssertNotEqual(fork.databaseID, database.databaseID)
        XCTAssertFalse(fork.knows(snapshot.revision))
        XCTAssertEqual(try fixture.image(of: fork.snapshot()) == image, true)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t", on: imported), 300)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
    }

    func testUploadsAreRemovedWhenTheyAreLetGoAndAtTheNextStart() throws {
        var upload: Upload? = try fixture.store.beginUpload()
        try upload?.append([1, 2])
        try upload?.append([3])
        let path = try XCTUnwrap(upload?.path)
        XCTAssertEqual([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))), [1, 2, 3])
        upload = nil
        XCTAssertFalse(FileManager.default.fileExists(atPath: path))
        let databases = fixture.directory + "/databases/"
        fixture.close()
        try Data([1]).write(to: URL(fileURLWithPath: databases + ".upload-1"))
        try FileManager.default.createDirectory(
            atPath: databases + ".creating-1", withIntermediateDirectories: false)
        try Data([1]).write(to: URL(fileURLWithPath: databases + ".creating-1/main.db"))
        try fixture.open()
        try checkNothingIsLeft("after a start")
    }
}
