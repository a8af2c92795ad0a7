import Codecs
import Execution
import HTTP
import Primitives
import Replication
import SQLStreams
import XCTest

@testable import Endpoints
@testable import Storage
@testable import WireProtocol

/// Restates docs/protocol.md, "Errors"; change the two together.
final class ErrorMappingTests: XCTestCase {
    private let path = "/secret/folder/main.db"

    func testErrorsOfStorage() throws {
        let name = try XCTUnwrap(DatabaseName("notes"))
        let rows: [(StorageError, Int, String)] = [
            (.unknownDatabase(name), 404, "database_unknown"),
            (.databaseExists(name), 400, "database_exists"),
            (.dataDirectoryLocked(path: path), 503, "data_directory_locked"),
            (.databaseLocked(name), 503, "database_locked"),
            (.databaseBusy(name), 503, "database_busy"),
            (.databaseFailed(name), 503, "database_failed"),
            (.queueFull(name), 503, "queue_full"),
            (.closed, 503, "stopping"),
            (.revisionGone, 410, "revision_gone"),
            (.outOfMemory, 503, "out_of_memory"),
            (.file(operation: "open", path: path, code: 2), 500, "internal"),
            (.corruptFile(path: path, reason: "CREATE TABLE x"), 500, "internal"),
            (.importRefused(reasons: ["one", "two"]), 422, "import_refused"),
        ]
        for (error, status, code) in rows {
            assert(error.httpFailure, status, code)
        }
        XCTAssertTrue(StorageError.databaseExists(name).httpFailure.text.contains("already exists"))
        XCTAssertEqual(
            StorageError.importRefused(reasons: ["one", "two"]).httpFailure.text, "one; two")
    }

    func testErrorsOfPulls() {
        let rows: [(PullFailure, Int, String)] = [
            (.refused(.otherDatabase), 409, "other_database"),
            (.refused(.revisionGone), 410, "revision_gone"),
            (.refused(.revisionUnreadable), 400, "revision_unreadable"),
            (.malformedSelector, 400, "malformed_selector"),
            (.storage(.closed), 503, "stopping"),
            (.storage(.file(operation: "read", path: path, code: 5)), 500, "internal"),
        ]
        for (error, status, code) in rows { assert(error.httpFailure, status, code) }
        let requests: [(PullRequestError, Int, String)] = [
            (.malformed, 400, "malformed_pull"),
            (.invalidUTF8(field: "client_revision"), 400, "malformed_pull"),
            (.tooLarge(size: 9, limit: 8), 413, "body_too_large"),
        ]
        for (error, status, code) in requests { assert(error.httpFailure, status, code) }
        let refusal = SQLFailure(message: "no such table: t", code: "SQLITE_ERROR")
        let fault = SQLFailure(message: "disk I/O error: CREATE TABLE x", code: "SQLITE_IOERR")
        let queries: [(QueryTrace.Failure, Int, String)] = [
            (.refused(refusal), 400, "query_refused"), (.broken(fault), 500, "internal"),
            (.storage(.closed), 503, "stopping"),
        ]
        for (error, status, code) in queries { assert(error.httpFailure, status, code) }
        XCTAssertEqual(QueryTrace.Failure.refused(refusal).httpFailure.text, refusal.message)
    }

    func testErrorsOfPipelinesAndBodies() {
        let rows: [(PipelineExecution.Failure, Int, String)] = [
            (.stream(.expired(nil)), 400, "STREAM_EXPIRED"),
            (.stream(.expired(.idle(.seconds(5)))), 400, "STREAM_EXPIRED"),
            (.stream(.busy), 409, "STREAM_BUSY"), (.stream(.tooMany), 503, "too_many_streams"),
            (.pipeline(.needsWriter), 500, "internal"),
            (
                .pipeline(.storage(StorageError.file(operation: "write", path: path, code: 28))),
                500,
                "internal"
            ),
            (.storage(.closed), 503, "stopping"),
        ]
        for (error, status, code) in rows { assert(error.httpFailure, status, code) }
        let bodies: [(ZstdError, Int, String)] = [
            (.malformed(reason: "x"), 400, "malformed_zstd"), (.truncated, 400, "malformed_zstd"),
            (.windowTooLarge, 400, "malformed_zstd"),
            (.outputTooLarge(limit: 9), 413, "body_too_large"),
            (.outOfMemory, 503, "out_of_memory"),
        ]
        for (error, status, code) in bodies { assert(error.httpFailure, status, code) }
    }

    func testErrorsOfFrameSync() throws {
        let bodies: [(FrameBody.Failure, Int, String)] = [
            (.wrongSize(expected: 4120, actual: 3), 400, "malformed_frames"),
            (.brokenChain(index: 1), 400, "malformed_frames"),
        ]
        for (error, status, code) in bodies { assert(error.httpFailure, status, code) }
        let pushes: [(FramePushFailure, Int, String)] = [
            (.refused(reasons: ["one", "two"]), 422, "frames_refused"),
            (.staging(.transactionTooLarge), 413, "transaction_too_large"),
            (.staging(.full), 503, "staging_full"), (.storage(.closed), 503, "stopping"),
            (.storage(.file(operation: "write", path: path, code: 5)), 500, "internal"),
        ]
        for (error, status, code) in pushes { assert(error.httpFailure, status, code) }
        XCTAssertEqual(
            FramePushFailure.refused(reasons: ["one", "two"]).httpFailure.text, "one; two")
    }

    /// Clients read a 500 there as the end of a generation.
    func testAPullOfFramesIsNeverAnsweredWith500() throws {
        let name = try XCTUnwrap(DatabaseName("notes"))
        let rows: [(StorageError, Int, String)] = [
            (.file(operation: "read", path: path, code: 5), 503, "internal"),
            (.corruptFile(path: path, reason: "CREATE TABLE x"), 503, "internal"),
            (.databaseFailed(name), 503, "database_failed"), (.closed, 503, "stopping"),
            (.unknownDatabase(name), 404, "database_unknown"),
            (.revisionGone, 410, "client_ahead"),
        ]
        for (error, status, code) in rows { assert(error.framePullFailure, status, code) }
    }

    /// What passes may be tried again, and says so.
    func testOnlyWhatPassesInvitesAnotherTry() {
        for status in [400, 404, 405, 409, 410, 413, 415, 422, 500, 503] {
            let response = HTTPFailure(status: status, code: "c", text: "t").response
            let retries = response.headers.contains { $0.name == "retry-after" }
            XCTAssertEqual(retries, status == 503, "\(status)")
        }
    }

    func testTheBodyIsJSONWhateverTheText() throws {
        let text = "a \"quote\", a \\, a line\nand \u{1}"
        let response = HTTPFailure(status: 400, code: "c", text: text).response
        guard case .bytes(let bytes) = response.body else { return XCTFail("no bytes") }
        let document = try JSONDocument(parsing: bytes)
        XCTAssertEqual(document.root["error"]?.string, text)
        XCTAssertEqual(document.root["code"]?.string, "c")
    }

    func testAllowedMethodsAreAField() {
        let failure = HTTPFailure(
            status: 405, code: "c", text: "t", allowedMethods: ["GET", "HEAD"])
        XCTAssertEqual(
            failure.response.headers.first { $0.name == "allow" }?.value, "GET, HEAD")
    }

    private func assert(
        _ failure: HTTPFailure, _ status: Int, _ code: String, file: StaticString = #filePath,
        line: UInt = #line
    ) {
        XCTAssertEqual(failure.status, status, failure.code, file: file, line: line)
        XCTAssertEqual(failure.code, code, file: file, line: line)
        XCTAssertFalse(failure.text.isEmpty, file: file, line: line)
        XCTAssertFalse(failure.text.contains("secret"), file: file, line: line)
        XCTAssertFalse(failure.text.contains("CREATE TABLE"), file: file, line: line)
    }
}
