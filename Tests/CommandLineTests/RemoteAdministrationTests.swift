import Primitives
import SQLite
import XCTest

@testable import CommandLineOptions
@testable import tidemark

final class RemoteAdministrationTests: XCTestCase {
    private let notes = DatabaseName("notes")!

    private func remote(_ server: ScriptedServer) throws -> RemoteAdministration {
        RemoteAdministration(try AdminURL(optionText: server.url))
    }

    func testSmallRequests() throws {
        let server = try ScriptedServer([
            .json(200, ""), .json(200, "{}"),
            .json(
                200,
                #"""
                {"namespaces":[{"name":"b","size_bytes":8192,"revision":"r","more":[1]},
                {"name":"a","size_bytes":0,"revision":null}],"extra":{}}
                """#),
        ])
        let remote = try remote(server)
        try remote.create(notes)
        try remote.delete(notes)
        XCTAssertEqual(
            try remote.list(),
            [
                DatabaseSummary(name: "a", sizeBytes: 0, revision: ""),
                DatabaseSummary(name: "b", sizeBytes: 8192, revision: "r"),
            ])
        let requests = server.finish()
        XCTAssertEqual(
            requests.map(\.line),
            [
                "POST /v1/namespaces/notes/create HTTP/1.1",
                "DELETE /v1/namespaces/notes HTTP/1.1", "GET /v1/namespaces HTTP/1.1",
            ])
        XCTAssertEqual(requests[0].body, Array("{}".utf8))
        XCTAssertEqual(requests[0].headers["content-type"], "application/json")
    }

    func testStatistics() throws {
        let body = #"""
            {"revision":"r","generation":2,"pages":1,"wal_pages":0,"wal_bytes":0,"main_bytes":4096,
            "history_bytes":0,"frame_bytes":9,"cache_bytes":8,"pins":0,"dropped_pins":9,"rejected_changes":0,"last_checkpoint":null,
            "bytes_sent":5000000000,"bytes_received":0,"long_polls":0,"open_streams":0,"newer":[]}
            """#
        let server = try ScriptedServer([
            .json(200, body), .json(404, #"{"error":"none","code":"database_unknown"}"#),
            .json(200, "{}"),
        ])
        let remote = try remote(server)
        let report = try remote.statistics(notes)
        XCTAssertEqual(report.generation, 2)
        XCTAssertEqual(report.bytesSent, 5_000_000_000)
        XCTAssertNil(report.lastCheckpoint)
        XCTAssertThrowsError(try remote.statistics(notes)) {
            XCTAssertEqual($0 as? AdministrationError, .noSuchDatabase(self.notes))
        }
        XCTAssertThrowsError(try remote.statistics(notes))
        XCTAssertEqual(server.finish()[0].line, "GET /v1/namespaces/notes/stats HTTP/1.1")
    }

    func testCheckpoint() throws {
        let server = try ScriptedServer([
            .json(200, #"{"busy":0,"log":0,"checkpointed":0}"#),
            .json(200, #"{"busy":1,"log":12,"checkpointed":7,"more":1}"#), .json(200, "{}"),
        ])
        let remote = try remote(server)
        XCTAssertEqual(
            try remote.checkpoint(notes, .truncate),
            CheckpointResult(isBusy: false, walFrameCount: 0, checkpointedFrameCount: 0))
        XCTAssertEqual(
            try remote.checkpoint(notes, .full),
            CheckpointResult(isBusy: true, walFrameCount: 12, checkpointedFrameCount: 7))
        XCTAssertThrowsError(try remote.checkpoint(notes, .passive))
        let requests = server.finish()
        XCTAssertEqual(
            requests.first?.line, "POST /v1/namespaces/notes/checkpoint HTTP/1.1")
        XCTAssertEqual(
            requests.map { String(decoding: $0.body, as: UTF8.self) },
            [#"{"mode":"truncate"}"#, #"{"mode":"full"}"#, #"{"mode":"passive"}"#])
    }

    func testImportStreamsTheFile() throws {
        let directory = try TemporaryDirectory()
        // More than libcurl's buffers, and than the size from which it asks before it sends.
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 * 31) }
        try directory.write(bytes, to: "x.db")
        let server = try ScriptedServer([
            .json(200, #"{"name":"notes","pages":733,"warnings":["table t is read-only"]}"#)
        ])
        var seen: [TransferProgress] = []
        let summary = try remote(server).importFile(notes, from: directory.file("x.db")) {
            seen.append($0)
        }
        XCTAssertEqual(
            summary, ImportSummary(pageCount: 733, warnings: ["table t is read-only"]))
        let requests = server.finish()
        XCTAssertEqual(requests.map(\.line), ["PUT /v1/namespaces/notes/import HTTP/1.1"])
        XCTAssertEqual(requests[0].headers["content-type"], "application/vnd.sqlite3")
        XCTAssertEqual(requests[0].body, bytes)
        XCTAssertEqual(seen.last?.percent, 100)
        XCTAssertEqual(seen.map(\.completedBytes), seen.map(\.completedBytes).sorted())
    }

    func testARefusalBeforeTheWholeUploadIsHeard() throws {
        let directory = try TemporaryDirectory()
        try directory.write([UInt8](repeating: 1, count: 4 << 20), to: "x.db")
        let body = #"{"error":"the page size is 512","code":"page_size"}"#
        let server = try ScriptedServer([
            .answerEarly(
                "HTTP/1.1 400 X\r\nContent-Length: \(body.utf8.count)\r\n"
                    + "Connection: close\r\n\r\n\(body)")
        ])
        XCTAssertThrowsError(
            try remote(server).importFile(notes, from: directory.file("x.db")) { _ in }
        ) { error in
            XCTAssertEqual(error as? AdministrationError, .rejected("the page size is 512"))
        }
        _ = server.finish()
    }

    func testExportWritesTheFile() throws {
        let directory = try TemporaryDirectory()
        try directory.write([], to: "x.db")
        let server = try ScriptedServer([
            .json(200, #"{"namespaces":[{"name":"notes","size_bytes":10,"revision":"r"}]}"#),
            .answer(
                "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"),
        ])
        var seen: [TransferProgress] = []
        try remote(server).exportFile(notes, to: directory.file("x.db")) { seen.append($0) }
        XCTAssertEqual(server.finish().last?.line, "GET /v1/namespaces/notes/export HTTP/1.1")
        XCTAssertEqual(directory.read("x.db"), Array("helloworld".utf8))
        XCTAssertEqual(seen.last?.percent, 100)
    }

    func testACutExportFails() throws {
        let heads = [
            "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhello",
        ]
        for head in heads {
            let directory = try TemporaryDirectory()
            try directory.write([], to: "x.db")
            let server = try ScriptedServer([.noDatabases, .answer(head)])
            XCTAssertThrowsError(
                try remote(server).exportFile(notes, to: directory.file("x.db")) { _ in }, head
            ) { error in
                guard case .unavailable = error as? AdministrationError else {
                    return XCTFail("\(error)")
                }
            }
            _ = server.finish()
        }
    }

    func testAnErrorBodyNeverBecomesTheExport() throws {
        let directory = try TemporaryDirectory()
        try directory.write([], to: "x.db")
        let server = try ScriptedServer([
            .noDatabases, .json(404, #"{"error":"none","code":"database_unknown"}"#),
        ])
        XCTAssertThrowsError(
            try remote(server).exportFile(notes, to: directory.file("x.db")) { _ in }
        ) { XCTAssertEqual($0 as? AdministrationError, .noSuchDatabase(self.notes)) }
        XCTAssertEqual(directory.read("x.db"), [])
        _ = server.finish()
    }

    func testStatusesAndTheirErrors() throws {
        let rows: [(Int, String, AdministrationError, ExitCode)] = [
            (
                404, #"{"error":"no","code":"database_unknown"}"#, .noSuchDatabase(notes), .noInput
            ),
            (
                400, #"{"error":"there","code":"database_exists"}"#, .databaseExists(notes),
                .cannotCreate
            ),
            (400, #"{"error":"bad file"}"#, .rejected("bad file"), .dataError),
            (413, "", .rejected("the server answered with status 413"), .dataError),
            (503, #"{"error":"stopping"}"#, .unavailable("stopping"), .unavailable),
            (500, #"{"error":"oh"}"#, .failed("oh"), .internalError),
            (302, "", .failed("the server answered with status 302"), .internalError),
        ]
        let server = try ScriptedServer(rows.map { .json($0.0, $0.1) })
        let remote = try remote(server)
        for (status, _, expected, exitCode) in rows {
            XCTAssertThrowsError(try remote.create(notes), "\(status)") { error in
                XCTAssertEqual(error as? AdministrationError, expected)
                XCTAssertEqual(
                    (error as? AdministrationError)?.commandFailure.exitCode, exitCode)
            }
        }
        _ = server.finish()
    }

    func testAnotherKindOfServerIsNamed() throws {
        let bodies: [(Int, String)] = [
            (200, "<html>"), (200, "{}"), (200, #"{"namespaces":[{"name":1}]}"#), (404, "<html>"),
            (404, #"{"error":"there is nothing at this path","code":"not_found"}"#),
            (200, ""), (200, #"{"namespaces":[{"name":"a","size_bytes":-1}]}"#),
        ]
        let server = try ScriptedServer(bodies.map { .json($0.0, $0.1) })
        let remote = try remote(server)
        for (status, body) in bodies {
            XCTAssertThrowsError(try remote.list(), "\(status) \(body)") { error in
                XCTAssertEqual(
                    error as? AdministrationError,
                    .unavailable("\(server.url) is not a Tidemark admin listener"))
            }
        }
        _ = server.finish()
    }

    func testAServerThatIsNotThere() throws {
        let server = try ScriptedServer([])
        _ = server.finish()
        XCTAssertThrowsError(try remote(server).list()) { error in
            guard case .unavailable(let message) = error as? AdministrationError else {
                return XCTFail("\(error)")
            }
            XCTAssertTrue(message.hasPrefix(server.url), message)
        }
    }
}
