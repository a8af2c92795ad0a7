import TestSupport
import XCTest

@testable import WireProtocol

final class PullRequestTests: XCTestCase {
    // MARK: What the client sends

    func testDecodesEveryRecordedPull() throws {
        func request(
            server: String = "", client: String = "", poll: UInt32 = 0, selector: Int = 0,
            query: String = ""
        ) -> (PullRequest, selectorSize: Int) {
            var request = PullRequest()
            request.serverRevision = server
            request.clientRevision = client
            request.longPollTimeoutMilliseconds = poll
            request.querySelector = query
            return (request, selector)
        }
        let pinned = "rev/2501"
        let expected: [String: [(PullRequest, selectorSize: Int)]] = [
            "pull-bootstrap-chunked": [request(selector: 15)]
                + Array(repeating: request(server: pinned, selector: 15), count: 3),
            "pull-bootstrap-full": [request()],
            "pull-bootstrap-prefix": [request(selector: 15)],
            "pull-bootstrap-query": [request(query: "select * from t where id = 1000")],
            "pull-lazy-segments": Array(repeating: request(server: pinned, selector: 80), count: 7),
            "pull-long-poll": [request(client: pinned, poll: 300)],
            "pull-no-change": [request(client: pinned)],
            "pull-path-prefix": [request()],
        ]
        XCTAssertEqual(try RecordedRequests.names(prefix: "pull-"), expected.keys.sorted())
        for (name, rows) in expected {
            let bodies = try RecordedRequests.bodies(name)
            XCTAssertEqual(bodies.count, rows.count, name)
            for (body, row) in zip(bodies, rows) {
                var decoded = try PullRequest(decoding: body)
                XCTAssertEqual(decoded.selector.count, row.selectorSize, name)
                decoded.selector = []
                XCTAssertEqual(decoded, row.0, name)
            }
        }
    }

    func testAnEmptyBodyIsAllDefaults() throws {
        XCTAssertEqual(try PullRequest(decoding: []), PullRequest())
    }

    // MARK: What protobuf tolerates

    func testDecodesUnusualButValidMessages() throws {
        func changed(_ change: (inout PullRequest) -> Void) -> PullRequest {
            var request = PullRequest()
            change(&request)
            return request
        }
        let rows: [(name: String, bytes: [UInt8], expected: PullRequest)] = [
            ("zstd", [0x08, 1], changed { $0.encoding = .zstd }),
            ("unknown encoding", [0x08, 9], changed { $0.encoding = .other(9) }),
            (
                "negative encoding",
                [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
                changed { $0.encoding = .other(.max) }
            ),
            ("logical log", [0x40, 1], changed { $0.streamKind = .mvccLogicalLog }),
            ("unknown stream kind", [0x40, 2], changed { $0.streamKind = .other(2) }),
            (
                "largest poll", [0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
                changed { $0.longPollTimeoutMilliseconds = .max }
            ),
            (
                "the last one counts", [0x1A, 1, 0x61, 0x1A, 1, 0x62],
                changed { $0.clientRevision = "b" }
            ),
            (
                "NUL in a revision", [0x1A, 3, 0x61, 0, 0x62],
                changed { $0.clientRevision = "a\0b" }
            ),
            ("NUL in a query", [0x3A, 2, 0x61, 0], changed { $0.querySelector = "a\0" }),
            (
                "beyond ASCII", [0x1A, 4, 0xF0, 0x9F, 0x92, 0xA5],
                changed { $0.clientRevision = "💥" }
            ),
            ("empty strings", [0x12, 0, 0x1A, 0, 0x2A, 0, 0x3A, 0], PullRequest()),
            ("client_pages", [0x32, 2, 1, 2], PullRequest()),
            ("unknown varint", [0x78, 5], PullRequest()),
            ("unknown bytes", [0x7A, 2, 9, 9], PullRequest()),
            ("unknown 32 bits", [0x7D, 1, 2, 3, 4], PullRequest()),
            ("unknown 64 bits", [0x79, 1, 2, 3, 4, 5, 6, 7, 8], PullRequest()),
            (
                "unknown field with the largest number",
                [0xF8, 0xFF, 0xFF, 0xFF, 0x0F, 1], PullRequest()
            ),
        ]
        for row in rows {
            XCTAssertEqual(try PullRequest(decoding: row.bytes), row.expected, row.name)
        }
    }

    // MARK: Hostile input

    func testRefusesMalformedMessages() {
        let overflowing: [UInt8] = Array(repeating: 0xFF, count: 10) + [1]
        let rows: [(name: String, bytes: [UInt8], error: PullRequestError)] = [
            ("garbage", Array("GET / HTTP/1.1".utf8), .malformed),
            ("field number 0", [0x00, 1], .malformed),
            ("tag without a value", [0x08], .malformed),
            ("tag that does not end", [0x80], .malformed),
            ("tag of six bytes", [0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 1], .malformed),
            ("varint that does not end", [0x20, 0x80, 0x80], .malformed),
            ("varint of 11 bytes", [0x20] + overflowing, .malformed),
            ("unknown varint of 11 bytes", [0x78] + overflowing, .malformed),
            ("length without bytes", [0x1A, 5], .malformed),
            ("bytes cut off", [0x1A, 5, 0x61, 0x62], .malformed),
            ("length of 2 GiB", [0x2A, 0x80, 0x80, 0x80, 0x80, 0x08], .malformed),
            ("length of 32 GiB - 1", [0x2A, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], .malformed),
            ("length of 2^64 - 1", [0x2A] + Array(repeating: 0xFF, count: 9) + [1], .malformed),
            ("string as varint", [0x18, 1], .malformed),
            ("string as 64 bits", [0x19, 1, 2, 3, 4, 5, 6, 7, 8], .malformed),
            ("string as 32 bits", [0x1D, 1, 2, 3, 4], .malformed),
            ("number as bytes", [0x22, 1, 1], .malformed),
            ("number as 32 bits", [0x25, 1, 0, 0, 0], .malformed),
            ("enum as bytes", [0x0A, 1, 1], .malformed),
            ("selector as varint", [0x28, 1], .malformed),
            ("group", [0x7B, 0x7C], .malformed),
            ("end of a group", [0x7C], .malformed),
            ("wire type 6", [0x7E, 1], .malformed),
            ("wire type 7", [0x7F, 1], .malformed),
            ("32 bits cut off", [0x7D, 1, 2, 3], .malformed),
            ("64 bits cut off", [0x79, 1, 2, 3, 4, 5, 6, 7], .malformed),
            (
                "broken UTF-8, server_revision", [0x12, 1, 0xFF],
                .invalidUTF8(field: "server_revision")
            ),
            (
                "overlong UTF-8, client_revision", [0x1A, 2, 0xC0, 0x80],
                .invalidUTF8(field: "client_revision")
            ),
            (
                "surrogate, server_query_selector", [0x3A, 3, 0xED, 0xA0, 0x80],
                .invalidUTF8(field: "server_query_selector")
            ),
            (
                "too large", [UInt8](repeating: 0, count: PullRequest.maximumSize + 1),
                .tooLarge(size: PullRequest.maximumSize + 1, limit: PullRequest.maximumSize)
            ),
        ]
        for row in rows {
            XCTAssertThrowsError(try PullRequest(decoding: row.bytes), row.name) { error in
                XCTAssertEqual(error as? PullRequestError, row.error, row.name)
            }
        }
    }

    func testTheLargestMessageOfTinyFieldsIsDecoded() throws {
        let fields = [UInt8](
            unsafeUninitializedCapacity: PullRequest.maximumSize
        ) { buffer, count in
            for index in buffer.indices { buffer[index] = index % 2 == 0 ? 0x20 : 1 }
            count = buffer.count
        }
        XCTAssertEqual(try PullRequest(decoding: fields).longPollTimeoutMilliseconds, 1)
    }

    func testACutIsRefusedOrLosesWholeFields() throws {
        let body = try RecordedRequests.bodies("pull-lazy-segments")[0]
        // server_revision ends after 10 bytes, the selector with the body.
        for count in 0..<body.count {
            let decoded = try? PullRequest(decoding: Array(body[..<count]))
            XCTAssertEqual(decoded != nil, count == 0 || count == 10, "\(count) bytes")
        }
    }

    func testMutationsDecodeOrThrow() throws {
        var generator = SeededGenerator.announced(for: name)
        let bodies = try RecordedRequests.names(prefix: "pull-").flatMap(RecordedRequests.bodies)
        var decodedCount = 0
        for _ in 0..<20_000 {
            let body = bodies[Int.random(in: 0..<bodies.count, using: &generator)]
            if (try? PullRequest(decoding: generator.mutate(body))) != nil { decodedCount += 1 }
        }
        XCTAssertGreaterThan(decodedCount, 0)
    }
}

extension PullRequestTests {
    func testWhatAClientWritesIsReadBack() throws {
        var request = PullRequest()
        XCTAssertEqual(request.encoded(), [])
        request.encoding = .zstd
        request.serverRevision = "tm1.a"
        request.clientRevision = String(repeating: "r", count: 300)
        request.longPollTimeoutMilliseconds = 60_000
        request.selector = [0x3A, 0x30, 0, 0]
        request.querySelector = "SELECT 1"
        XCTAssertEqual(try PullRequest(decoding: request.encoded()), request)
    }
}
