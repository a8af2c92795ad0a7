import HTTP
import Server
import Synchronization
import XCTest

/// Bodies that are made and taken piece by piece.
final class StreamingTests: XCTestCase {
    private func serve(
        _ source: TestSource, length: UInt64? = nil,
        configuration: HTTPServerConfiguration = HTTPServerConfiguration()
    ) throws -> TestServer {
        try TestServer(
            TestServer.Handler(answer: { request, responder in
                guard request.head.path == "/stream" else {
                    return responder.respond(HTTPResponse(status: 200))
                }
                responder.respond(
                    HTTPResponse(status: 200, body: .stream(source, length: length)))
            }), configuration: configuration)
    }

    func testChunkedAnswer() throws {
        let source = TestSource { number in
            number < 5 ? [UInt8](repeating: UInt8(number), count: number * 100_000 + 1) : nil
        }
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client()
        let reply = try client.get("/stream")
        XCTAssertEqual(reply.body.count, 1_000_005)
        XCTAssertEqual(reply.body.last, 4)
        source.closed.wait()
        XCTAssertEqual(source.closeCount, 1)
        XCTAssertEqual(try client.get("/again").status, 200)
    }

    func testEmptyStream() throws {
        let server = try serve(TestSource { _ in nil })
        defer { server.stop() }
        let client = try server.client()
        XCTAssertEqual(try client.get("/stream").body, [])
    }

    func testAnswerOfAnnouncedLength() throws {
        let server = try serve(TestSource { $0 < 3 ? [1, 2] : nil }, length: 6)
        defer { server.stop() }
        let client = try server.client()
        let reply = try client.get("/stream")
        XCTAssertEqual(reply.fields["content-length"], "6")
        XCTAssertEqual(reply.body, [1, 2, 1, 2, 1, 2])
        XCTAssertEqual(try client.get("/again").status, 200)
    }

    func testHTTP10GetsAnUnframedStream() throws {
        let server = try serve(TestSource { $0 < 3 ? [1, 2] : nil })
        defer { server.stop() }
        let client = try server.client()
        try client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let reply = try client.readReply()
        XCTAssertEqual(reply.body, [1, 2, 1, 2, 1, 2])
        XCTAssertEqual(reply.fields["connection"], "close")
    }

    func testASlowReaderHoldsABoundedAmountOfMemory() throws {
        let piece = [UInt8](repeating: 1, count: 256 * 1024)
        let total = 200
        let source = TestSource { $0 < total ? piece : nil }
        let server = try serve(source)
        defer { server.stop() }
        let slow = try server.client(receiveBuffer: 4096)
        try slow.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try slow.readHead()
        var taken = 0
        // Both sides' kernel buffers hold at most about 5 MB here; the server itself holds no more
        // than its low-water mark and one piece, however long it is given to do so.
        let other = try server.client()
        while taken < 30 {
            XCTAssertEqual(try slow.readChunk().count, piece.count)
            taken += 1
            XCTAssertEqual(try other.get("/other").status, 200, "a slow reader holds up others")
            XCTAssertLessThanOrEqual((source.callCount - taken) * piece.count, 8 << 20)
        }
        while case let chunk = try slow.readChunk(), !chunk.isEmpty { taken += 1 }
        XCTAssertEqual(taken, total)
    }

    func testAFailingSourceCutsTheConnection() throws {
        for length in [nil, UInt64(1000)] {
            let source = TestSource { number in
                guard number < 3 else { throw TestSource.Broken() }
                return [1, 2]
            }
            let server = try serve(source, length: length)
            defer { server.stop() }
            let client = try server.client()
            XCTAssertThrowsError(try client.get("/stream")) { error in
                XCTAssertNotEqual(error as? TestClient.Failure, .timedOut)
            }
            source.closed.wait()
            XCTAssertEqual(source.closeCount, 1)
        }
    }

    func testASourceOfTheWrongLengthCutsTheConnection() throws {
        for length in [UInt64(5), 7] {
            let server = try serve(TestSource { $0 < 3 ? [1, 2] : nil }, length: length)
            defer { server.stop() }
            XCTAssertThrowsError(try server.client().get("/stream"))
        }
    }

    func testASourceThatFailsAtOnceGivesAnError() throws {
        let source = TestSource { _ in throw TestSource.Broken() }
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client()
        let reply = try client.get("/stream")
        XCTAssertEqual(reply.status, 500)
        XCTAssertTrue(reply.text.contains("\"code\":\"internal\""))
        XCTAssertEqual(source.closeCount, 1)
        XCTAssertEqual(try client.get("/again").status, 200)
    }

    func testASourceThatRefusesAtOnceChoosesTheAnswer() throws {
        let source = TestSource { _ in
            throw HTTPRefusal(.failure(status: 404, code: "gone", text: "no more"), cause: "why")
        }
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client()
        let reply = try client.get("/stream")
        XCTAssertEqual(reply.status, 404)
        XCTAssertEqual(reply.text, #"{"error":"no more","code":"gone"}"#)
        XCTAssertEqual(source.closeCount, 1)
        XCTAssertEqual(try client.get("/again").status, 200)
    }

    func testAClientThatLeavesEndsItsStream() throws {
        let source = TestSource { _ in [UInt8](repeating: 0, count: 100_000) }
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client()
        try client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try client.readChunkOfStream()
        client.reset()
        source.closed.wait("close of the source")
        XCTAssertEqual(source.closeCount, 1)
    }

    func testAClientThatLeavesDuringACallEndsItsStreamAfterTheCall() throws {
        let (inCall, goOn, gone) = (Event(), Event(), Event())
        let source = TestSource { _ in
            inCall.happened()
            goOn.wait()
            return [1]
        }
        let server = try TestServer(
            TestServer.Handler(answer: { _, responder in
                responder.onClientGone { gone.happened() }
                responder.respond(
                    HTTPResponse(status: 200, body: .stream(source, length: nil)))
            }))
        defer { server.stop() }
        let client = try server.client()
        try client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        inCall.wait()
        client.reset()
        gone.wait("word of the client's end")
        XCTAssertEqual(source.closeCount, 0)
        goOn.happened()
        source.closed.wait()
        XCTAssertEqual(source.callCount, 1)
    }

    // MARK: Uploads

    func testAnUploadReachesItsSinkInOrder() throws {
        let sink = TestSink()
        let server = try TestServer(TestServer.Handler(body: { _ in .stream(sink) }))
        defer { server.stop() }
        let client = try server.client()
        let body = (0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 4) }
        try client.send(
            "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                + "Content-Length: \(body.count)\r\n\r\n")
        XCTAssertEqual(try client.readHead().status, 100)
        try client.send(body)
        XCTAssertEqual(try client.readReply().text, "\(body.count)")
        XCTAssertEqual(sink.bytes, body)
        XCTAssertEqual(sink.endings, ["finish"])
        // An upload without a body is one too.
        XCTAssertEqual(try client.get("/").text, "\(body.count)")
    }

    func testABusySinkHoldsTheClientBack() throws {
        let (inWrite, goOn) = (Event(), Event())
        let sink = TestSink { number throws(HTTPRefusal) in
            if number == 0 {
                inWrite.happened()
                goOn.wait()
            }
        }
        let server = try TestServer(TestServer.Handler(body: { _ in .stream(sink) }))
        defer { server.stop() }
        let client = try server.client()
        let total = 40_000_000
        try client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(total)\r\n\r\nx")
        inWrite.wait()
        // The kernels' buffers take some MB; the server reads nothing, so it is never all.
        let piece = [UInt8](repeating: 0, count: total - 1)
        let sent = client.sendWithoutWaiting(piece)
        XCTAssertLessThan(sent, piece.count)
        XCTAssertEqual(sink.bytes.count, 0, "the first write has not returned")
        goOn.happened()
        try client.send(Array(piece[sent...]))
        XCTAssertEqual(try client.readReply().text, "\(total)")
        XCTAssertLessThan(sink.largestWrite, 512 * 1024)
    }

    func testARefusingSinkAnswersAndIsAborted() throws {
        let sink = TestSink { _ throws(HTTPRefusal) in
            throw HTTPRefusal(HTTPResponse(status: 422))
        }
        let server = try TestServer(TestServer.Handler(body: { _ in .stream(sink) }))
        defer { server.stop() }
        let client = try server.client()
        try client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
        XCTAssertEqual(try client.readReply().status, 422)
        sink.ended.wait()
        XCTAssertEqual(sink.endings, ["abort"])
        // The rest of the body is read past.
        try client.send([UInt8](repeating: 0, count: 999))
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        XCTAssertEqual(try client.readReply().status, 200)
    }

    func testABrokenOrUnfinishedUploadIsAborted() throws {
        let chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let sink = TestSink()
        let server = try TestServer(TestServer.Handler(body: { _ in .stream(sink) }))
        defer { server.stop() }
        let broken = try server.client()
        try broken.send(chunked + "1\r\na\r\nzz\r\n")
        XCTAssertEqual(try broken.readReply().status, 400)
        sink.ended.wait()
        let unfinished = try server.client()
        try unfinished.send(chunked + "5\r\nab")
        unfinished.close()
        sink.ended.wait()
        XCTAssertEqual(sink.endings, ["abort", "abort"])
    }
}

extension TestClient {
    fileprivate func readChunkOfStream() throws -> [UInt8] {
        _ = try readHead()
        return try readChunk()
    }
}

/// A body sink that keeps what it is given and answers with the number of bytes.
private final class TestSink: HTTPBodySink {
    private struct State {
        var bytes: [UInt8] = []
        var writeCount = 0
        var largestWrite = 0
        var endings: [String] = []
    }

    private let onWrite: @Sendable (_ number: Int) throws(HTTPRefusal) -> Void
    private let state = Mutex(State())
    let ended = Event()

    init(onWrite: @escaping @Sendable (_ number: Int) throws(HTTPRefusal) -> Void = { _ in }) {
        self.onWrite = onWrite
    }

    var bytes: [UInt8] { state.withLock { $0.bytes } }
    var largestWrite: Int { state.withLock { $0.largestWrite } }
    var endings: [String] { state.withLock { $0.endings } }

    func write(_ bytes: [UInt8]) throws(HTTPRefusal) {
        let number = state.withLock { state -> Int in
            state.writeCount += 1
            return state.writeCount - 1
        }
        try onWrite(number)
        state.withLock { state in
            state.bytes += bytes
            state.largestWrite = max(state.largestWrite, bytes.count)
        }
    }

    func finish(_ responder: any HTTPResponder) {
        state.withLock { $0.endings.append("finish") }
        responder.respond(
            HTTPResponse(status: 200, body: .bytes(Array("\(bytes.count)".utf8))))
        ended.happened()
    }

    func abort() {
        state.withLock { $0.endings.append("abort") }
        ended.happened()
    }
}
