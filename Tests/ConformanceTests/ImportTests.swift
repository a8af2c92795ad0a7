import Foundation
import SQLite
import XCTest

/// Files made by other programs becoming databases; docs/operations.md, "Import".
final class ImportTests: ServerTestCase {
    /// A database file as other programs make one.
    private func makeFile(_ statements: String...) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        let connection = try Connection(path: folder.path("source.db"), mode: .create)
        for statement in statements { try connection.execute(statement) }
        connection.close()
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path("source.db"))))
    }

    private let content =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE INDEX tv ON t(v);"
        + "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
        + "INSERT INTO t SELECT i, 'row ' || i FROM n"

    private func importing(_ bytes: [UInt8], as name: String? = nil) throws -> (
        HTTPReply, TestDatabase
    ) {
        let database = server.database(name ?? "i\(UInt32.random(in: 0 ... .max))")
        return (try database.admin("PUT", "/import", body: bytes), database)
    }

    private func assertServes(
        _ database: TestDatabase, file: StaticString = #filePath, line: UInt = #line
    ) throws {
        var replica = DatabaseImage()
        replica.apply(try database.pull(file: file, line: line))
        XCTAssertEqual(try replica.integrity(), "ok", file: file, line: line)
        XCTAssertEqual(
            try replica.text("SELECT count(*) || max(v) FROM t"), "500row 99", file: file, line: line)
        XCTAssertEqual(try replica.text("PRAGMA page_size"), "4096", file: file, line: line)
        XCTAssertEqual(try replica.text("PRAGMA auto_vacuum"), "0", file: file, line: line)
        try database.sql("INSERT INTO t VALUES(1000, 'new')")
        let pull = try database.pull(PullBody(clientRevision: replica.revision))
        XCTAssertLessThan(pull.pages.count, pull.databaseSize, file: file, line: line)
        replica.apply(pull)
        XCTAssertEqual(try replica.integrity(), "ok", file: file, line: line)
    }

    func testFilesOfManyKindsAreServed() throws {
        let rows: [(label: String, setup: String, conversions: [String])] = [
            ("as it is", "", []),
            ("WAL mode", "PRAGMA journal_mode = WAL;", []),
            ("small pages", "PRAGMA page_size = 1024;", ["page size 1024 to 4096"]),
            ("large pages", "PRAGMA page_size = 65536;", ["page size 65536 to 4096"]),
            ("auto_vacuum", "PRAGMA auto_vacuum = FULL;", ["auto_vacuum to none"]),
            ("incremental", "PRAGMA auto_vacuum = INCREMENTAL;", ["auto_vacuum to none"]),
            (
                "both", "PRAGMA page_size = 512; PRAGMA auto_vacuum = INCREMENTAL;",
                ["page size 512 to 4096", "auto_vacuum to none"]
            ),
        ]
        for row in rows {
            let (reply, database) = try importing(try makeFile(row.setup, content))
            XCTAssertEqual(reply.status, 200, "\(row.label) \(reply.text)")
            XCTAssertEqual(reply.object["name"] as? String, database.name)
            XCTAssertEqual(reply.object["conversions"] as? [String], row.conversions, row.label)
            XCTAssertEqual(reply.object["warnings"] as? [String], [], row.label)
            XCTAssertEqual(
                reply.object["pages"] as? Int, try database.pull().databaseSize, row.label)
            try assertServes(database)
            XCTAssertFalse(server.dataFiles.contains { $0.contains("/.") }, row.label)
        }
    }

    func testAnEmptyFileIsAnEmptyDatabase() throws {
        let (reply, database) = try importing(try makeFile("PRAGMA user_version = 3"))
        XCTAssertEqual(reply.status, 200, reply.text)
        XCTAssertEqual(try database.pull().ids, [0])
        XCTAssertEqual(try database.sql("PRAGMA user_version").rows, [["3"]])
    }

    func testWarningsSayWhatReplicasCannotDo() throws {
        let (reply, _) = try importing(
            try makeFile(
                "CREATE TABLE g(a, b AS (a + 1))",
                "CREATE TABLE w(a PRIMARY KEY, b) WITHOUT ROWID"))
        XCTAssertEqual(reply.status, 200, reply.text)
        let warnings = reply.object["warnings"] as? [String] ?? []
        XCTAssertEqual(warnings.count, 2, "\(warnings)")
        XCTAssertTrue(warnings.contains { $0.contains("g.b") })
        XCTAssertTrue(warnings.contains { $0.contains("w is a WITHOUT ROWID table") })
    }

    func testAnExportCanBeImported() throws {
        let (_, database) = try importing(try makeFile(content))
        let export = try database.export()
        let (reply, copy) = try importing(export.bytes)
        XCTAssertEqual(reply.status, 200, reply.text)
        // All but the change counters of page 1 is the same.
        let differing = try XCTUnwrap(export.differingPages(from: try copy.export()))
        XCTAssertTrue(Set(differing).isSubset(of: [0]), "\(differing)")
    }

    func testARefusedFileLeavesNothingBehind() throws {
        let good = try makeFile(content)
        func changing(_ index: Int, _ bytes: [UInt8]) -> [UInt8] {
            var file = good
            file.replaceSubrange(index..<index + bytes.count, with: bytes)
            return file
        }
        let wide = String(repeating: "x", count: 3000)
        let rows: [(label: String, file: [UInt8], reason: String)] = [
            ("text", Array("this is not a database".utf8), "SQLite database"),
            ("random", (0..<9000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 3) }, "SQLite"),
            ("another magic", changing(0, Array("SQLITE".utf8)), "SQLite"),
            ("cut off", Array(good.prefix(good.count / 2)), "malformed"),
            ("half a page cut off", Array(good.prefix(good.count - 2048)), "integrity check"),
            ("overwritten", changing(4096, [UInt8](repeating: 0xAA, count: 300)), "damaged"),
            ("UTF-16", try makeFile("PRAGMA encoding = 'UTF-16'", content), "UTF-16"),
            (
                "FTS5", try makeFile(content, "CREATE VIRTUAL TABLE v USING fts5(x)"),
                "v is a virtual table"
            ),
            (
                "STORED column", try makeFile(content, "CREATE TABLE g(a, b AS (a) STORED)"),
                "g.b is a STORED generated column"
            ),
            ("reserved name", try makeFile("CREATE TABLE turso_cdc(x)"), "turso_cdc is reserved"),
            (
                "a reserved name, pages to convert",
                try makeFile("PRAGMA page_size = 1024", "CREATE TABLE turso_cdc(x)",
                    "INSERT INTO turso_cdc VALUES('\(wide)')"), "turso_cdc is reserved"
            ),
        ]
        let before = server.dataFiles
        for row in rows {
            let (reply, database) = try importing(row.file)
            assertFailure(reply, 422, "import_refused", row.label)
            let text = reply.object["error"] as? String ?? ""
            XCTAssertTrue(text.contains(row.reason), "\(row.label): \(text)")
            assertFailure(try database.pullReply(), 404, "database_unknown", row.label)
            XCTAssertEqual(server.dataFiles, before, row.label)
        }
        assertFailure(try importing([]).0, 400, "empty_body")
        XCTAssertEqual(server.dataFiles, before)
    }

    func testAnImportNeverReplacesADatabase() throws {
        let database = try makeDatabase("CREATE TABLE mine(x)")
        let before = server.dataFiles
        assertFailure(
            try importing(try makeFile(content), as: database.name).0, 400, "database_exists")
        XCTAssertEqual(try database.sql("SELECT name FROM sqlite_schema").rows, [["mine"]])
        XCTAssertEqual(server.dataFiles, before)
        for name in ["..", "a.b", "%2e%2e"] {
            assertFailure(
                try importing(try makeFile(content), as: name).0, 400, "invalid_database_name")
        }
    }

    func testAnUploadThatStopsLeavesNothingBehind() throws {
        let file = try makeFile(content)
        let before = server.dataFiles
        for isChunked in [false, true] {
            let client = try RawClient(port: server.admin)
            let framing =
                isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(file.count)"
            try client.send(
                "PUT /v1/namespaces/stopped/import HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
            if isChunked { try client.send("\(String(file.count, radix: 16))\r\n") }
            try client.send(Array(file.prefix(file.count / 2)))
            wait(for: "the upload has begun") { server.dataFiles != before }
            client.reset()
            wait(for: "the upload is gone") { server.dataFiles == before }
        }
        assertFailure(try server.database("stopped").pullReply(), 404, "database_unknown")
    }

    func testAnImportMayBeChunkedAndLargerThanOtherBodies() throws {
        let file = try makeFile(
            content, "CREATE TABLE large(x)", "INSERT INTO large VALUES(randomblob(3000000))")
        let client = try RawClient(port: server.admin)
        try client.send(
            "POST /v1/namespaces/chunked/import HTTP/1.1\r\nHost: a\r\n"
                + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
        XCTAssertEqual(try client.readHead().status, 100)
        for start in stride(from: 0, to: file.count, by: 100_000) {
            let piece = Array(file[start..<min(start + 100_000, file.count)])
            try client.send(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10])
        }
        try client.send("0\r\n\r\n")
        XCTAssertEqual(try client.readReply().status, 200)
        try assertServes(server.database("chunked"))
    }
}
