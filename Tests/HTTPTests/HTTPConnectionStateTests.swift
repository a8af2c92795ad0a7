import XCTest

@testable import HTTP

final class HTTPConnectionStateTests: XCTestCase {
    private static let date = "Thu, 01 Jan 1970 00:00:00 GMT"

    /// Drives a state machine by hand and remembers the bytes it was not ready for.
    private struct Driver {
        var state = HTTPConnectionState(discardLimit: 10)
        var bytes: [UInt8] = []
        var offset = 0

        mutating func receive(_ text: String) -> String {
            bytes += text.utf8
            return next()
        }

        mutating func next() -> String {
            let bytes = bytes
            let input = state.receive(bytes.span, at: &offset)
            return switch input {
            case .needsBytes: "needsBytes"
            case .head(let head): "head \(head.path)"
            case .body(let range): "body \(String(decoding: bytes[range], as: UTF8.self))"
            case .complete: "complete"
            case .wait: "wait"
            case .failed(let response): "failed \(response.status)"
            case .ended: "ended"
            }
        }

        /// Answers in one go.
        mutating func answer(
            _ response: HTTPResponse = HTTPResponse(status: 200), isLast: Bool = false
        ) -> (head: String, encoding: HTTPBodyEncoding, next: HTTPConnectionState.Next) {
            var head: [UInt8] = []
            let encoding = state.beginResponse(
                response, date: HTTPConnectionStateTests.date, isLast: isLast, to: &head)
            return (String(decoding: head, as: UTF8.self), encoding, state.finishResponse())
        }
    }

    private func get(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
    }

    func testPipelinedRequestsWaitForTheAnswer() {
        var driver = Driver()
        XCTAssertTrue(driver.state.isIdle)
        XCTAssertEqual(driver.receive(get("/1") + get("/2")), "head /1")
        XCTAssertFalse(driver.state.acceptBody(isHere: true))
        XCTAssertEqual(driver.next(), "complete")
        XCTAssertEqual(driver.next(), "wait")
        XCTAssertFalse(driver.state.wantsBytes)
        XCTAssertEqual(driver.answer().next, .request)
        XCTAssertEqual(driver.next(), "head /2")
    }

    func testConnectionHeaderDecidesPersistence() {
        let rows: [(request: String, persistence: String?)] = [
            (get("/"), nil),
            (get("/", "Connection: close\r\n"), "close"),
            (get("/", "Connection: Keep-Alive, CLOSE\r\n"), "close"),
            (get("/", "Connection: keep-alive\r\nConnection: close\r\n"), "close"),
            ("GET / HTTP/1.0\r\n\r\n", "close"),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"),
        ]
        for row in rows {
            var driver = Driver()
            _ = driver.receive(row.request)
            _ = driver.state.acceptBody(isHere: false)
            XCTAssertEqual(driver.next(), "complete")
            let answer = driver.answer()
            let field = row.persistence.map { "\r\nconnection: \($0)\r\n" }
            if let field {
                XCTAssertTrue(answer.head.contains(field), row.request)
            } else {
                XCTAssertFalse(answer.head.contains("connection:"), row.request)
            }
            XCTAssertEqual(answer.next, row.persistence == "close" ? .close : .request)
            XCTAssertEqual(driver.next(), row.persistence == "close" ? "ended" : "needsBytes")
        }
    }

    func testContinueIsSentOnlyWhenTheBodyIsAwaited() {
        let expecting = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: "
        var driver = Driver()
        _ = driver.receive(expecting + "2\r\n\r\n")
        XCTAssertTrue(driver.state.acceptBody(isHere: false))
        driver = Driver()
        _ = driver.receive(expecting + "2\r\n\r\nab")
        XCTAssertFalse(driver.state.acceptBody(isHere: true), "the body is here")
        driver = Driver()
        _ = driver.receive(expecting + "0\r\n\r\n")
        XCTAssertFalse(driver.state.acceptBody(isHere: false), "there is no body")
        driver = Driver()
        _ = driver.receive("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        XCTAssertFalse(driver.state.acceptBody(isHere: false), "HTTP/1.0 does not know it")
    }

    func testOtherExpectationsFail() {
        var driver = Driver()
        XCTAssertEqual(driver.receive(get("/", "Expect: a-pony\r\n")), "failed 417")
        XCTAssertTrue(driver.state.isClosing)
    }

    func testRefusingAnExpectedBodyCloses() {
        var driver = Driver()
        _ = driver.receive(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        driver.state.discardBody(isHere: false)
        let answer = driver.answer(HTTPResponse(status: 403))
        XCTAssertTrue(answer.head.contains("connection: close"))
        XCTAssertEqual(answer.next, .close)
    }

    func testARefusedBodyIsReadPast() {
        for body in [
            "Content-Length: 4\r\n\r\nabcd",
            "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
        ] {
            var driver = Driver()
            _ = driver.receive("POST / HTTP/1.1\r\nHost: a\r\n" + body.dropLast(2))
            driver.state.discardBody(isHere: true)
            XCTAssertEqual(driver.answer(HTTPResponse(status: 403)).next, .restOfBody)
            XCTAssertEqual(driver.next(), "needsBytes")
            XCTAssertFalse(driver.state.canAnswer)
            XCTAssertEqual(driver.receive(body.suffix(2) + get("/next")), "head /next")
        }
    }

    func testALargeRefusedBodyClosesAtOnce() {
        var driver = Driver()
        _ = driver.receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
        driver.state.discardBody(isHere: false)
        XCTAssertEqual(driver.answer(HTTPResponse(status: 413)).next, .close)
        XCTAssertFalse(driver.state.wantsBytes)
    }

    func testAnEndlessRefusedBodyEndsTheConnection() {
        var driver = Driver()
        _ = driver.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        driver.state.discardBody(isHere: false)
        XCTAssertEqual(driver.answer(HTTPResponse(status: 403)).next, .restOfBody)
        XCTAssertEqual(driver.receive("a\r\n0123456789\r\n"), "needsBytes")
        XCTAssertEqual(driver.receive("1\r\nx"), "ended")
        XCTAssertTrue(driver.state.isClosing)
    }

    func testABrokenBodyFailsOnceAndEnds() {
        var driver = Driver()
        _ = driver.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz")
        _ = driver.state.acceptBody(isHere: true)
        XCTAssertEqual(driver.next(), "failed 400")
        let answer = driver.answer(HTTPParseError.invalidChunkSize.response)
        XCTAssertTrue(answer.head.contains("connection: close"))
        XCTAssertEqual(driver.next(), "ended")
    }

    func testABrokenBodyThatWasRefusedGetsNoSecondAnswer() {
        var driver = Driver()
        _ = driver.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        driver.state.discardBody(isHere: false)
        XCTAssertEqual(driver.answer(HTTPResponse(status: 403)).next, .restOfBody)
        XCTAssertEqual(driver.receive("zz"), "ended")
    }

    func testDrainingAndLastAnswersClose() {
        var driver = Driver()
        _ = driver.receive(get("/"))
        _ = driver.state.acceptBody(isHere: false)
        _ = driver.next()
        driver.state.drain()
        XCTAssertEqual(driver.answer().next, .close)
        driver = Driver()
        _ = driver.receive(get("/"))
        _ = driver.state.acceptBody(isHere: false)
        _ = driver.next()
        XCTAssertEqual(driver.answer(isLast: true).next, .close)
    }

    // MARK: Framing of answers

    func testFramingOfAnswers() {
        let bytes = HTTPResponse(status: 200, body: .bytes(Array("abc".utf8)))
        let stream = HTTPResponse(status: 200, body: .stream(EmptySource(), length: nil))
        let sized = HTTPResponse(status: 200, body: .stream(EmptySource(), length: 7))
        let rows: [(String, String, HTTPResponse, HTTPBodyEncoding, String?)] = [
            ("GET", "1.1", bytes, .sized(3), "content-length: 3"),
            ("HEAD", "1.1", bytes, .none, "content-length: 3"),
            ("GET", "1.1", stream, .chunked, "transfer-encoding: chunked"),
            ("HEAD", "1.1", stream, .none, "transfer-encoding: chunked"),
            ("GET", "1.0", stream, .untilClose, nil),
            ("GET", "1.1", sized, .sized(7), "content-length: 7"),
            ("GET", "1.1", HTTPResponse(status: 200), .none, "content-length: 0"),
            ("GET", "1.1", HTTPResponse(status: 204), .none, nil),
            ("GET", "1.1", HTTPResponse(status: 304), .none, nil),
        ]
        for (method, version, response, encoding, field) in rows {
            var driver = Driver()
            _ = driver.receive("\(method) / HTTP/\(version)\r\nHost: a\r\n\r\n")
            _ = driver.state.acceptBody(isHere: false)
            _ = driver.next()
            let name = "\(method) \(version) \(response.status) \(encoding)"
            XCTAssertEqual(driver.state.sendsBody(of: response), encoding != .none, name)
            let answer = driver.answer(response)
            XCTAssertEqual(answer.encoding, encoding, name)
            let lines = answer.head.split(separator: "\r\n").map(String.init)
            XCTAssertEqual(
                lines.filter { $0.hasPrefix("content-length") || $0.hasPrefix("transfer") },
                field.map { [$0] } ?? [], name)
        }
    }

    private final class EmptySource: HTTPBodySource {
        func nextChunk(maximumBytes: Int) throws -> HTTPBodyPiece? { nil }
        func close() {}
    }
}
