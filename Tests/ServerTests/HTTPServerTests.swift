import HTTP
import Server
import Synchronization
import XCTest

/// Requests and answers over localhost.
final class HTTPServerTests: XCTestCase {
    func testKeepAliveServesRequestAfterRequest() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = try server.client()
        for number in 0..<50 {
            let reply = try client.get("/a%20b?n=\(number)")
            XCTAssertEqual(reply.status, 200)
            XCTAssertEqual(reply.text, "GET /a%20b?n=\(number) ")
            XCTAssertNil(reply.fields["connection"])
            XCTAssertNotNil(reply.fields["date"])
        }
    }

    func testPipelinedAnswersComeInOrder() throws {
        let server = try TestServer(
            TestServer.Handler(answer: { request, responder in
                let body = HTTPResponseBody.bytes(Array(request.head.path.utf8))
                // Every other answer comes late and from another thread.
                if request.head.path.hasSuffix("1") {
                    responder.respond(HTTPResponse(status: 200, body: body))
                } else {
                    DispatchQueue.global().async {
                        responder.respond(HTTPResponse(status: 200, body: body))
                    }
                }
            }))
        defer { server.stop() }
        let client = try server.client()
        let paths = (0..<600).map { "/\($0)-\($0 % 2)" }
        let requests = paths.map { "GET \($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
        try client.send(requests)
        for path in paths { XCTAssertEqual(try client.readReply().text, path) }
    }

    /// More answers than fit into the buffers, to a client that sends everything before it reads.
    func testPipelineWithoutReadingIsHeldBackAndThenServed() throws {
        let handled = Atomic<Int>(0)
        let body = [UInt8](repeating: 7, count: 50_000)
        let server = try TestServer(
            TestServer.Handler(answer: { _, responder in
                handled.add(1, ordering: .relaxed)
                responder.respond(HTTPResponse(status: 200, body: .bytes(body)))
            }))
        defer { server.stop() }
        let client = try server.client(receiveBuffer: 4096)
        let count = 400
        try client.send(
            String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: count))
        XCTAssertEqual(try client.readReply().body, body)
        // 20 MB of answers; the kernel's buffer for sending grows to 4 MB at most, by default.
        XCTAssertLessThan(handled.load(ordering: .relaxed), count)
        for _ in 1..<count { XCTAssertEqual(try client.readReply().body.count, body.count) }
    }

    func testHeadAndOptionsReachTheHandler() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = try server.client()
        try client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")
        let head = try client.readReply(hasBody: false)
        XCTAssertEqual(head.fields["content-length"], "8")
        try client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        XCTAssertEqual(try client.readReply().text, "OPTIONS * ")
    }

    func testHeadOfAStreamMakesNoBody() throws {
        let source = TestSource { _ in [1] }
        let server = try TestServer(
            TestServer.Handler(answer: { _, responder in
                responder.respond(
                    HTTPResponse(status: 200, body: .stream(source, length: nil)))
            }))
        defer { server.stop() }
        let client = try server.client()
        try client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        XCTAssertEqual(
            try client.readReply(hasBody: false).fields["transfer-encoding"], "chunked")
        source.closed.wait()
        XCTAssertEqual(source.callCount, 0)
    }

    func testHTTP10ClosesUnlessAskedNotTo() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = try server.client()
        try client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        XCTAssertEqual(try client.readReply().fields["connection"], "keep-alive")
        try client.send("GET / HTTP/1.0\r\n\r\n")
        XCTAssertEqual(try client.readReply().fields["connection"], "close")
        XCTAssertTrue(client.isClosedByServer())
    }

    func testMalformedRequestsGetAnErrorAndAClose() throws {
        let server = try TestServer()
        defer { server.stop() }
        let rows: [(String, Int, String)] = [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "bare_line_feed"),
            ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "unsupported_http_version"),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400,
                "invalid_chunk_size"
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501,
                "unknown_transfer_encoding"
            ),
            ("GET /\(String(repeating: "a", count: 20_000))", 414, "target_too_long"),
            (
                "GET / HTTP/1.1\r\nX: \(String(repeating: "a", count: 70_000))", 431,
                "head_too_large"
            ),
        ]
        for (request, status, code) in rows {
            let client = try server.client()
            try client.send(request)
            let reply = try client.readReply()
            XCTAssertEqual(reply.status, status, code)
            XCTAssertTrue(reply.text.contains("\"code\":\"\(code)\""), reply.text)
            XCTAssertEqual(reply.fields["connection"], "close")
            XCTAssertTrue(client.isClosedByServer(), code)
        }
        XCTAssertEqual(try server.client().get("/").status, 200)
    }

    // MARK: Request bodies

    func testContinueIsSentOnlyWhenAwaited() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = try server.client()
        let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        try client.send(head)
        XCTAssertEqual(try client.readHead().status, 100)
        try client.send("ab")
        XCTAssertEqual(try client.readReply().text, "POST / ab")
        try client.send(head + "cd")
        XCTAssertEqual(try client.readReply().text, "POST / cd")
    }

    func testBodyLimitHoldsForAnnouncedAndForChunkedBodies() throws {
        let server = try TestServer(TestServer.Handler(body: { _ in .buffer(maximumBytes: 10) }))
        defer { server.stop() }
        let client = try server.client()
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789")
        XCTAssertEqual(try client.readReply().text, "POST / 0123456789")
        // What is refused is read past, so the connection stays usable.
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n0123456789a")
        XCTAssertEqual(try client.readReply().status, 413)
        try client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n")
        XCTAssertEqual(try client.readReply().status, 413)
        XCTAssertEqual(try client.get("/").status, 200)
    }

    /// The client sends a large body without reading; closing at once would reset the connection
    /// and could take the answer away from it.
    func testTheAnswerToARefusedLargeBodyArrives() throws {
        let server = try TestServer(TestServer.Handler(body: { _ in .buffer(maximumBytes: 10) }))
        defer { server.stop() }
        let client = try server.client()
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
        try client.send([UInt8](repeating: 0, count: 4_000_000))
        let reply = try client.readReply()
        XCTAssertEqual(reply.status, 413)
        XCTAssertEqual(reply.fields["connection"], "close")
        client.finishSending()
        XCTAssertTrue(client.isClosedByServer())
    }

    func testRefusedRequestsAreNotHandled() throws {
        let server = try TestServer(
            TestServer.Handler(
                body: { _ in .refuse(HTTPResponse(status: 403)) },
                answer: { _, _ in XCTFail("handled") }))
        defer { server.stop() }
        let client = try server.client()
        for _ in 0..<2 {
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
            XCTAssertEqual(try client.readReply().status, 403)
        }
    }

    func testLargeBodiesArriveWhole() throws {
        let server = try TestServer(
            TestServer.Handler(
                body: { _ in .buffer(maximumBytes: 20_000_000) },
                answer: { request, responder in
                    responder.respond(HTTPResponse(status: 200, body: .bytes(request.body)))
                }))
        defer { server.stop() }
        let client = try server.client()
        let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n")
        try client.send(body)
        XCTAssertEqual(try client.readReply().body, body)
    }

    // MARK: Handlers

    func testAForgottenRequestIsAnswered() throws {
        let server = try TestServer(TestServer.Handler(answer: { _, _ in }))
        defer { server.stop() }
        XCTAssertEqual(try server.client().get("/").status, 500)
    }

    func testOnlyTheFirstAnswerCounts() throws {
        let source = TestSource { _ in nil }
        let server = try TestServer(
            TestServer.Handler(answer: { _, responder in
                responder.respond(HTTPResponse(status: 200))
                responder.respond(
                    HTTPResponse(status: 500, body: .stream(source, length: nil)))
            }))
        defer { server.stop() }
        let client = try server.client()
        XCTAssertEqual(try client.get("/").status, 200)
        source.closed.wait()
        XCTAssertEqual(source.callCount, 0)
    }

    func testScheduledActionsRunUnlessAnswered() throws {
        let answeredEarly = Event()
        let server = try TestServer(
            TestServer.Handler(answer: { request, responder in
                if request.head.path == "/wait" {
                    responder.schedule(after: .milliseconds(5)) {
                        responder.respond(HTTPResponse(status: 202))
                    }
                } else {
                    responder.schedule(after: .milliseconds(1)) { XCTFail("answered already") }
                    responder.respond(HTTPResponse(status: 200))
                    answeredEarly.happened()
                }
            }))
        defer { server.stop() }
        let client = try server.client()
        XCTAssertEqual(try client.get("/").status, 200)
        answeredEarly.wait()
        XCTAssertEqual(try client.get("/wait").status, 202)
    }

    func testSeveralListenersWithTheirOwnHandlers() throws {
        let server = try TestServer()
        defer { server.stop() }
        let admin = TestServer.Handler(answer: { _, responder in
            responder.respond(HTTPResponse(status: 203))
        })
        let bound = try server.server.start(host: "127.0.0.1", port: 0, handler: admin)
        XCTAssertEqual(bound.description, "127.0.0.1:\(bound.port)")
        XCTAssertEqual(try TestClient(port: bound.port).get("/").status, 203)
        XCTAssertEqual(try server.client().get("/").status, 200)
        XCTAssertThrowsError(
            try server.server.start(host: "127.0.0.1", port: bound.port, handler: admin))
    }

    func testLocalhostIsServedOnAllItsAddresses() throws {
        let server = try TestServer()
        defer { server.stop() }
        let bound = try server.server.start(
            host: "localhost", port: 0, handler: TestServer.Handler())
        XCTAssertEqual(bound.host, "127.0.0.1")
        XCTAssertEqual(try TestClient(port: bound.port).get("/").status, 200)
        XCTAssertTrue(try HTTPServer.isLoopback(host: "localhost"))
        XCTAssertFalse(try HTTPServer.isLoopback(host: "0.0.0.0"))
    }
}
