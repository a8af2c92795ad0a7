import Execution
import HTTP
import Logging
import Server
import Synchronization
import XCTest

/// A server on a port of its own, whose handler is made of closures.
final class TestServer: Sendable {
    struct Handler: HTTPHandler {
        var body: @Sendable (HTTPRequestHead) -> HTTPBodyHandling = { _ in
            .buffer(maximumBytes: 1 << 20)
        }
        /// By default the answer names the method, the target and the body.
        var answer: @Sendable (HTTPRequest, any HTTPResponder) -> Void = { request, responder in
            let query = request.head.query.map { "?\($0)" } ?? ""
            let text =
                "\(request.head.method) \(request.head.path)\(query) "
                + String(decoding: request.body, as: UTF8.self)
            responder.respond(HTTPResponse(status: 200, body: .bytes(Array(text.utf8))))
        }

        func bodyHandling(for head: HTTPRequestHead) -> HTTPBodyHandling { body(head) }
        func handle(_ request: HTTPRequest, _ responder: any HTTPResponder) {
            answer(request, responder)
        }
    }

    let server: HTTPServer
    let port: UInt16
    let workers: WorkerPool

    init(
        _ handler: Handler = Handler(),
        configuration: HTTPServerConfiguration = HTTPServerConfiguration(),
        logger: Logger = .disabled
    ) throws {
        workers = WorkerPool(threadCount: 3)
        server = try HTTPServer(configuration: configuration, workers: workers, logger: logger)
        port = try server.start(host: "127.0.0.1", port: 0, handler: handler).port
    }

    func client(receiveBuffer: Int32? = nil) throws -> TestClient {
        try TestClient(port: port, receiveBuffer: receiveBuffer)
    }

    func stop(grace: Duration = .seconds(10)) {
        server.stop(grace: grace)
        XCTAssertEqual(server.connectionCount, 0)
        workers.stop()
    }
}

/// Something that happens once, and can be waited for.
final class Event: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func happened() { semaphore.signal() }

    func wait(_ name: String = "event", file: StaticString = #filePath, line: UInt = #line) {
        if semaphore.wait(timeout: .now() + 20) != .success {
            XCTFail("\(name) did not happen", file: file, line: line)
        }
    }
}

/// A body source made of a closure, which counts what it was asked for.
final class TestSource: HTTPBodySource {
    struct Broken: Error {}

    private let make: @Sendable (_ number: Int) throws -> HTTPBodyPiece?
    private let state = Mutex((calls: 0, isRunning: false, closeCount: 0))
    let closed = Event()

    init(_ make: @escaping @Sendable (_ number: Int) throws -> [UInt8]?) {
        self.make = { try make($0).map { .bytes($0) } }
    }

    private init(making make: @escaping @Sendable (_ number: Int) throws -> HTTPBodyPiece?, _: Void)
    {
        self.make = make
    }

    static func ofPieces(
        _ make: @escaping @Sendable (_ number: Int) throws -> HTTPBodyPiece?
    ) -> TestSource {
        TestSource(making: make, ())
    }

    var callCount: Int { state.withLock { $0.calls } }
    var closeCount: Int { state.withLock { $0.closeCount } }

    func nextChunk(maximumBytes: Int) throws -> HTTPBodyPiece? {
        let number = state.withLock { state -> Int in
            XCTAssertFalse(state.isRunning, "two calls at a time")
            XCTAssertEqual(state.closeCount, 0, "called after close")
            state.isRunning = true
            state.calls += 1
            return state.calls - 1
        }
        defer { state.withLock { $0.isRunning = false } }
        return try make(number)
    }

    func close() {
        state.withLock { state in
            XCTAssertFalse(state.isRunning, "closed during a call")
            state.closeCount += 1
        }
        closed.happened()
    }
}
