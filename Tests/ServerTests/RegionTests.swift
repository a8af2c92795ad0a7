import Glibc
import HTTP
import Primitives
import Server
import Synchronization
import TestSupport
import XCTest

/// Bodies whose bytes are sent from files.
final class RegionTests: XCTestCase {
    /// What holds a file open.
    private final class Owner: Sendable {
        let released: Event
        init(_ released: Event) { self.released = released }
        deinit { released.happened() }
    }

    /// What files hold; it repeats itself after a megabyte.
    private func byte(_ offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: (offset & 0xF_FFFF) &* 31 >> 3)
    }

    private func makeFile(size: Int) -> OpenDescriptor {
        let descriptor = OpenDescriptor(makeUnnamedFile())
        let bytes = (0..<min(size, 1 << 20)).map(byte)
        var offset = 0
        while offset < size {
            let count = min(bytes.count, size - offset)
            XCTAssertEqual(pwrite(descriptor.number, bytes, count, off_t(offset)), count)
            offset += count
        }
        return descriptor
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

    func testPartsOfFilesAndBytesArriveInOrder() throws {
        let size = 3 << 20
        let file = makeFile(size: size)
        let source = TestSource.ofPieces({ number in
            guard number < 3 else { return nil }
            let region = FileRegion(descriptor: file, offset: 7, count: size - 7)
            let tail = FileRegion(descriptor: file, offset: 1, count: 1)
            return HTTPBodyPiece([.bytes([1, 2]), .region(region), .bytes([3]), .region(tail)])
        })
        let expected = [1, 2] + (7..<size).map(byte) + [3, byte(1)]
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client()
        let reply = try client.get("/stream")
        XCTAssertEqual(reply.body, expected + expected + expected)
        XCTAssertEqual(try client.get("/again").status, 200)
    }

    func testAPartOfAFileOfAnnouncedLength() throws {
        let file = makeFile(size: 300_000)
        let server = try serve(
            TestSource.ofPieces({ number in
                guard number < 1 else { return nil }
                return HTTPBodyPiece([
                    .region(FileRegion(descriptor: file, offset: 0, count: 300_000))
                ])
            }), length: 300_000)
        defer { server.stop() }
        XCTAssertEqual(try server.client().get("/stream").body, (0..<300_000).map(byte))
    }

    func testASlowReaderHoldsNoMemoryAndKeepsTheFile() throws {
        let size = 8 << 20
        let released = Event()
        let pieces = 6
        var file: OpenDescriptor? = makeFile(size: size)
        let regions = Mutex<FileRegion?>(
            FileRegion(
                descriptor: try XCTUnwrap(file), offset: 0, count: size, owner: Owner(released)))
        file = nil
        let source = TestSource.ofPieces({ number in
            guard number < pieces else { return nil }
            return regions.withLock { region in
                defer { if number == pieces - 1 { region = nil } }
                return HTTPBodyPiece([.region(region!)])
            }
        })
        let server = try serve(source)
        defer { server.stop() }
        let slow = try server.client(receiveBuffer: 4096)
        try slow.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try slow.readHead()
        let other = try server.client()
        var taken = 0
        while case let chunk = try slow.readChunk(), !chunk.isEmpty {
            XCTAssertEqual(chunk.count, size)
            XCTAssertEqual(chunk[size - 1], byte(size - 1))
            taken += 1
            XCTAssertEqual(try other.get("/other").status, 200, "a slow reader holds up others")
            XCTAssertLessThanOrEqual(source.callCount, taken + 3)
        }
        XCTAssertEqual(taken, pieces)
        released.wait("end of the file")
    }

    func testAClientThatLeavesLetsGoOfTheFile() throws {
        let released = Event()
        let size = 64 << 20
        let regions = Mutex<FileRegion?>(
            FileRegion(
                descriptor: makeFile(size: size), offset: 0, count: size, owner: Owner(released)))
        let source = TestSource.ofPieces({ _ in
            regions.withLock { region in
                defer { region = nil }
                return region.map { HTTPBodyPiece([.region($0)]) }
            }
        })
        let server = try serve(source)
        defer { server.stop() }
        let client = try server.client()
        try client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try client.readHead()
        client.reset()
        released.wait("end of the file")
        source.closed.wait("close of the source")
    }

    func testAFileThatEndsTooEarlyCutsTheConnection() throws {
        let file = makeFile(size: 1000)
        let server = try serve(
            TestSource.ofPieces({ number in
                guard number < 1 else { return nil }
                return HTTPBodyPiece([
                    .region(FileRegion(descriptor: file, offset: 500, count: 1000))
                ])
            }))
        defer { server.stop() }
        XCTAssertThrowsError(try server.client().get("/stream")) { error in
            XCTAssertNotEqual(error as? TestClient.Failure, .timedOut)
        }
    }
}
