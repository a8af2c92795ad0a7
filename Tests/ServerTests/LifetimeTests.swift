import Glibc
import HTTP
import Logging
import Server
import Synchronization
import XCTest

/// How connections end: clients that leave, time-outs, limits, and the server's own end.
final class LifetimeTests: XCTestCase {
    /// Keeps responders, so that requests stay open until the test answers them.
    private final class Parking: Sendable {
        private let responders = Mutex<[any HTTPResponder]>([])
        let parked = Event()
        let gone = Event()
        let stopping = Event()

        func handler() -> TestServer.Handler {
            TestServer.Handler(answer: { request, responder in
                guard request.head.path == "/park" else {
                    return responder.respond(HTTPResponse(status: 200))
                }
                responder.onClientGone { self.gone.happened() }
                responder.onShutdown { self.stopping.happened() }
                self.responders.withLock { $0.append(responder) }
                self.parked.happened()
            })
        }

        func answerAll(_ response: HTTPResponse = HTTPResponse(status: 200)) {
            let waiting = responders.withLock { responders in
                defer { responders = [] }
                return responders
            }
            for responder in waiting { responder.respond(response) }
        }
    }

    private func park(_ client: TestClient, _ parking: Parking) throws {
        try client.send("GET /park HTTP/1.1\r\nHost: a\r\n\r\n")
        parking.parked.wait("request")
    }

    // MARK: Clients that leave

    func testAClientThatLeavesIsReported() throws {
        for leave in [TestClient.close, TestClient.reset] {
            let parking = Parking()
            let server = try TestServer(parking.handler())
            defer { server.stop() }
            let client = try server.client()
            try park(client, parking)
            leave(client)()
            parking.gone.wait("word of the client's end")
            // Too late, and harmless; a streamed body is closed.
            let source = TestSource { _ in [1] }
            parking.answerAll(HTTPResponse(status: 200, body: .stream(source, length: nil)))
            source.closed.wait()
        }
    }

    func testAClientThatOnlyFinishedSendingGetsItsAnswer() throws {
        let parking = Parking()
        let server = try TestServer(parking.handler())
        defer { server.stop() }
        let client = try server.client()
        try park(client, parking)
        client.finishSending()
        parking.gone.wait("word that the client may be gone")
        parking.answerAll()
        XCTAssertEqual(try client.readReply().status, 200)
        XCTAssertTrue(client.isClosedByServer())
    }

    func testPipelineOfAClientThatFinishedSendingIsAnswered() throws {
        let server = try TestServer()
        defer { server.stop() }
        let client = try server.client()
        try client.send(
            String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 20))
        client.finishSending()
        for _ in 0..<20 { XCTAssertEqual(try client.readReply().status, 200) }
        XCTAssertTrue(client.isClosedByServer())
    }

    // MARK: Time-outs

    func testIdleConnectionsAreClosed() throws {
        var configuration = HTTPServerConfiguration()
        configuration.idleTimeout = .milliseconds(20)
        let server = try TestServer(configuration: configuration)
        defer { server.stop() }
        XCTAssertTrue(try server.client().isClosedByServer(), "before the first request")
        let client = try server.client()
        XCTAssertEqual(try client.get("/").status, 200)
        XCTAssertTrue(client.isClosedByServer(), "after it")
    }

    func testSlowHeadsAndBodiesAreRefused() throws {
        var configuration = HTTPServerConfiguration()
        configuration.headTimeout = .milliseconds(20)
        configuration.bodyTimeout = .milliseconds(20)
        let server = try TestServer(configuration: configuration)
        defer { server.stop() }
        for request in ["GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"] {
            let client = try server.client()
            try client.send(request)
            let reply = try client.readReply()
            XCTAssertEqual(reply.status, 408)
            XCTAssertTrue(reply.text.contains("request_timeout"))
            XCTAssertTrue(client.isClosedByServer())
        }
    }

    func testAHandlerMayTakeItsTime() throws {
        var configuration = HTTPServerConfiguration()
        configuration.idleTimeout = .milliseconds(10)
        configuration.headTimeout = .milliseconds(10)
        configuration.bodyTimeout = .milliseconds(10)
        let server = try TestServer(
            TestServer.Handler(answer: { _, responder in
                responder.schedule(after: .milliseconds(100)) {
                    responder.respond(HTTPResponse(status: 200))
                }
            }), configuration: configuration)
        defer { server.stop() }
        XCTAssertEqual(try server.client().get("/").status, 200)
    }

    func testAClientThatReadsNothingIsCut() throws {
        var configuration = HTTPServerConfiguration()
        configuration.writeTimeout = .milliseconds(200)
        let source = TestSource { _ in [UInt8](repeating: 0, count: 256 * 1024) }
        let server = try TestServer(
            TestServer.Handler(answer: { _, responder in
                responder.respond(
                    HTTPResponse(status: 200, body: .stream(source, length: nil)))
            }), configuration: configuration)
        defer { server.stop() }
        let client = try server.client(receiveBuffer: 4096)
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        source.closed.wait("end of the stream")
    }

    // MARK: Limits

    func testConnectionsBeyondTheLimitWaitForTheirTurn() throws {
        var configuration = HTTPServerConfiguration()
        configuration.maximumConnections = 2
        let parking = Parking()
        let server = try TestServer(parking.handler(), configuration: configuration)
        defer { server.stop() }
        let (first, second) = (try server.client(), try server.client())
        try park(first, parking)
        try park(second, parking)
        let third = try server.client()
        try third.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        XCTAssertEqual(server.server.connectionCount, 2)
        parking.answerAll()
        // While others wait, an answer is its connection's last.
        XCTAssertEqual(try first.readReply().fields["connection"], "close")
        first.close()
        XCTAssertEqual(try third.readReply().status, 200)
    }

    /// The limit is the whole process's, so it is low for a moment only, and every descriptor the
    /// test needs is opened before.
    func testRunningOutOfDescriptorsIsSurvived() throws {
        let paused = Event()
        let pauseCount = Atomic<Int>(0)
        let logger = Logger(minimumLevel: .warning) { line in
            guard line.contains("event=accept_paused") else { return }
            pauseCount.add(1, ordering: .relaxed)
            paused.happened()
        }
        let server = try TestServer(logger: logger)
        defer { server.stop() }
        let before = try server.client()
        XCTAssertEqual(try before.get("/").status, 200)
        let unconnected = TestClient()
        var old = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &old)
        var low = old
        low.rlim_cur = 128
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &low)
        var fillers: [Int32] = []
        while case let filler = dup(2), filler >= 0 { fillers.append(filler) }
        let free = {
            for filler in fillers { close(filler) }
            fillers = []
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &old)
        }
        defer { free() }
        XCTAssertEqual(errno, EMFILE)
        try unconnected.connect(port: server.port)
        paused.wait("pause")
        XCTAssertEqual(try before.get("/").status, 200, "what is open goes on")
        free()
        XCTAssertEqual(try unconnected.get("/").status, 200)
        XCTAssertEqual(pauseCount.load(ordering: .relaxed), 1, "one shortage is logged once")
    }

    // MARK: Stopping

    func testStopClosesIdleConnectionsAndEndsLongPolls() throws {
        let parking = Parking()
        let server = try TestServer(parking.handler())
        let (idle, waiting) = (try server.client(), try server.client())
        XCTAssertEqual(try idle.get("/").status, 200)
        try park(waiting, parking)
        let stopped = Event()
        DispatchQueue.global().async {
            server.stop(grace: .seconds(20))
            stopped.happened()
        }
        parking.stopping.wait("word of the stop")
        XCTAssertTrue(idle.isClosedByServer())
        parking.answerAll()
        let reply = try waiting.readReply()
        XCTAssertEqual(reply.status, 200)
        XCTAssertEqual(reply.fields["connection"], "close")
        XCTAssertTrue(waiting.isClosedByServer())
        stopped.wait("end of the server")
        XCTAssertThrowsError(try server.client())
    }

    func testStopLetsAStreamFinish() throws {
        let (begun, goOn) = (Event(), Event())
        let source = TestSource { number in
            if number == 1 {
                begun.happened()
                goOn.wait()
            }
            return number < 3 ? [1] : nil
        }
        let server = try TestServer(
            TestServer.Handler(answer: { _, responder in
                responder.respond(
                    HTTPResponse(status: 200, body: .stream(source, length: nil)))
            }))
        let client = try server.client()
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        begun.wait()
        let stopped = Event()
        DispatchQueue.global().async {
            server.stop(grace: .seconds(20))
            stopped.happened()
        }
        goOn.happened()
        XCTAssertEqual(try client.readReply().body, [1, 1, 1])
        stopped.wait("end of the server")
    }

    func testStopCutsWhatOutlastsTheGrace() throws {
        let parking = Parking()
        let server = try TestServer(parking.handler())
        let client = try server.client()
        try park(client, parking)
        server.server.stop(grace: .milliseconds(10))
        XCTAssertTrue(client.isClosedByServer())
        parking.gone.wait("word of the end")
        let source = TestSource { _ in [1] }
        parking.answerAll(HTTPResponse(status: 200, body: .stream(source, length: nil)))
        source.closed.wait("close of a body that nobody gets")
        server.workers.stop()
        server.server.stop(grace: .zero)
    }
}
