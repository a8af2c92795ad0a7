import Foundation
import Primitives
import Synchronization
import WireProtocol
import XCTest

@testable import LoadTest

/// Whatever a server answers, the tool reports it and ends.
final class HostileServerTests: XCTestCase {
    private func call(
        _ workload: [String], closes: Bool = true, timeout: String = "5s",
        answer: @escaping @Sendable (String) -> [UInt8]
    ) throws -> BenchCall {
        let server = try HostileServer(closes: closes, answer: answer)
        defer { server.stop() }
        return BenchCall(
            workload + [
                "--url", "http://127.0.0.1:\(server.port)", "--warm-up", "0", "--duration", "60ms",
                "--clients", "1", "--timeout", timeout,
            ])
    }

    func testResponsesThatAreNone() throws {
        let rows: [(String, String)] = [
            ("", "connection closed before the answer"),
            ("hello", "malformed response: response cut off"),
            ("hello\r\n\r\n", "malformed response: malformed status line"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
                "malformed response: response cut off"
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                "malformed response: response cut off"
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                "malformed response: malformed chunks"
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc",
                "malformed response: bytes behind the response"
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "malformed response: both Content-Length and Transfer-Encoding"
            ),
            (
                "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
                "status 503: busy"
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", "status 204"),
        ]
        for (answer, text) in rows {
            let call = try call(["http"]) { _ in Array(answer.utf8) }
            XCTAssertEqual(call.exitCode, 69, answer)
            XCTAssertTrue(call.output.contains(" x \(text)"), "\(text)\n\(call.output)")
        }
    }

    func testAServerThatSaysNothingIsGivenUp() throws {
        let call = try call(["http"], closes: false, timeout: "100ms") { _ in [] }
        XCTAssertEqual(call.exitCode, 69)
        XCTAssertTrue(call.output.contains(" x no answer in time"), call.output)
    }

    private final class Fill: Sendable { let value = Atomic<UInt8>(0) }

    private static func whole(_ body: [UInt8]) -> [UInt8] {
        Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
    }

    func testWrongAnswersWhilePreparing() throws {
        let failed = #"{"results":[{"type":"error","error":{"message":"no such thing"}}]}"#
        let rows: [([UInt8], String)] = [
            (Self.whole(Array("{}".utf8)), "answers no results"),
            (Self.whole(Array(#"{"results":[]}"#.utf8)), "answers 0 results"),
            (Self.whole(Array(failed.utf8)), "no such thing"),
            (Array("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".utf8), "answers 404"),
            (Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".utf8), "response cut off"),
        ]
        for (answer, text) in rows {
            let call = try call(["push"]) { _ in answer }
            XCTAssertEqual(call.exitCode, 69, text)
            XCTAssertTrue(call.errors.contains(text), "\(text)\n\(call.errors)")
        }
    }

    /// A server that acknowledges rows and does not have them.
    func testLostRowsAreWrongData() throws {
        let zero =
            #"{"results":[{"type":"ok","response":{"type":"execute","result":{"rows":"#
            + #"[[{"type":"integer","value":"0"}]],"step_results":[]}}}]}"#
        let call = try call(["push", "--verify", "--rows", "0"]) { request in
            Self.whole(
                request.contains("/pull-updates")
                    ? PullResponseHeader(serverRevision: "r", databaseSize: 0).framedBytes()
                    : Array(zero.utf8))
        }
        XCTAssertEqual(call.exitCode, 65, call.errors)
        XCTAssertTrue(call.errors.contains("rows were acknowledged, 0 are there"), call.errors)
    }

    /// A server whose pages are others each time, at the same revision.
    func testPagesThatDifferAreWrongData() throws {
        let fill = Fill()
        let call = try call(["bootstrap", "--verify", "--rows", "0"]) { _ in
            var body = PullResponseHeader(serverRevision: "r", databaseSize: 1).framedBytes()
            PageFraming.appendPrefix(of: PageID(0), to: &body)
            let value = fill.value.wrappingAdd(1, ordering: .relaxed).newValue
            return Self.whole(body + [UInt8](repeating: value, count: 4096))
        }
        XCTAssertEqual(call.exitCode, 65, call.errors)
        XCTAssertTrue(call.errors.contains("two answers at r differ"), call.errors)
    }

    func testMistakesOnTheCommandLine() {
        let rows: [([String], Int32, String)] = [
            ([], 64, "Usage: tidemark-bench WORKLOAD"),
            (["pusch"], 64, "Did you mean 'push'?"),
            (["push"], 64, "one of --url and --start-server is needed"),
            (["push", "--clients", "0", "--url", "http://h"], 64, "is not between 1 and"),
            (["push", "--client", "1"], 64, "Did you mean --clients?"),
            (["push", "x"], 64, "unexpected argument 'x'"),
            (["push", "--url", "http://h", "--start-server", "/x"], 64, "exclude each other"),
            (["push", "--url", "http://127.0.0.1:1", "--databases", "2"], 64, "needs {n}"),
            (["push", "--url", "http://127.0.0.1:1"], 69, "Connection refused"),
            (["push", "--start-server", "/nonexistent/x"], 66, "No such file or directory"),
            (["push", "--start-server", "/bin/false"], 69, "did not start"),
            (
                ["frames", "--url", "http://127.0.0.1:1", "--clients", "2"], 64,
                "as many --databases"
            ),
            (["long-poll", "--url", "http://127.0.0.1:1", "--threads", "2"], 64, "one thread"),
            (["compare", "a"], 64, "compare needs two files"),
            (["compare", "/nonexistent/a", "b"], 66, "cannot be read"),
            (["compare", "/proc/version", "b"], 65, "no JSON"),
        ]
        for (arguments, exitCode, text) in rows {
            let call = BenchCall(arguments)
            XCTAssertEqual(call.exitCode, exitCode, "\(arguments): \(call.errors)")
            XCTAssertTrue(call.errors.contains(text), "\(arguments): \(call.errors)")
        }
    }

    func testEveryWorkloadHasHelp() {
        XCTAssertEqual(BenchCall(["--help"]).exitCode, 0)
        for command in BenchCommands.all {
            let call = BenchCall([command.name, "--help"])
            XCTAssertEqual(call.exitCode, 0)
            XCTAssertTrue(call.output.contains("Usage: tidemark-bench \(command.name)"))
            XCTAssertEqual(BenchCall(["help", command.name]).output, call.output)
            XCTAssertTrue(BenchCall(["--help"]).output.contains(command.summary))
        }
    }
}
