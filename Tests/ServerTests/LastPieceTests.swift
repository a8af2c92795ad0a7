import HTTP
import Server
import XCTest

/// Sources that say which piece is their last: they are closed, not asked again.
final class LastPieceTests: XCTestCase {
    private func source(_ pieces: [[UInt8]]) -> TestSource {
        .ofPieces { number in
            HTTPBodyPiece([.bytes(pieces[number])], isLast: number == pieces.count - 1)
        }
    }

    private func serve(_ source: TestSource, length: UInt64? = nil) throws -> TestServer {
        try TestServer(
            TestServer.Handler(answer: { request, responder in
                guard request.head.path == "/stream" else {
                    return responder.respond(HTTPResponse(status: 200))
                }
                responder.respond(
                    HTTPResponse(status: 200, body: .stream(source, length: length)))
            }))
    }

    func testChunkedAndSizedBodiesEndWithIt() throws {
        for length in [nil, 5 as UInt64?] {
            for pieces: [[UInt8]] in [
                [[1, 2, 3, 4, 5]], [[1, 2], [3], [4, 5]], [[1, 2, 3, 4, 5], []],
            ] {
                let source = source(pieces)
                let server = try serve(source, length: length)
                let client = try server.client()
                // The next request is there already.
                try client.send(
                    "GET /stream HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
                XCTAssertEqual(try client.readReply().body, [1, 2, 3, 4, 5])
                XCTAssertEqual(try client.readReply().status, 200)
                source.closed.wait()
                server.stop()
                XCTAssertEqual(source.closeCount, 1)
                XCTAssertEqual(source.callCount, pieces.count)
            }
        }
    }

    func testHTTP10BodyEndsWithTheConnection() throws {
        let source = source([[1, 2], [3]])
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client()
        try client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        XCTAssertEqual(try client.readReply().body, [1, 2, 3])
        source.closed.wait()
        XCTAssertEqual(source.callCount, 2)
    }

    func testHeadMakesNone() throws {
        let source = source([[1]])
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client()
        try client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        XCTAssertEqual(try client.readReply(hasBody: false).status, 200)
        source.closed.wait()
        XCTAssertEqual(source.callCount, 0)
        XCTAssertEqual(try client.get("/").status, 200)
    }

    /// The client must not take it for the whole answer.
    func testAWrongLengthIsNoAnswer() throws {
        for length in [2, 4] as [UInt64] {
            let source = source([[1], [2, 3]])
            let server = try serve(source, length: length)
            let client = try server.client()
            XCTAssertThrowsError(try client.get("/stream"), "length \(length)")
            source.closed.wait()
            server.stop()
            XCTAssertEqual(source.closeCount, 1)
        }
    }

    func testAnErrorInPlaceOfItCutsTheAnswer() throws {
        let source = TestSource.ofPieces { number in
            if number == 1 { throw TestSource.Broken() }
            return .bytes([1, 2])
        }
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client()
        XCTAssertThrowsError(try client.get("/stream"))
        source.closed.wait()
        XCTAssertEqual(source.closeCount, 1)
    }

    func testASlowClientGetsAllOfIt() throws {
        let piece = [UInt8](repeating: 7, count: 8 << 20)
        let source = source([piece])
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client(receiveBuffer: 4096)
        try client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        // The source is gone before the client reads the first byte.
        source.closed.wait()
        XCTAssertEqual(try client.readReply().body, piece)
        XCTAssertEqual(try client.get("/").status, 200)
    }
}
