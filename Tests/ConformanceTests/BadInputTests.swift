import Codecs
import Primitives
import TestSupport
import WireProtocol
import XCTest

/// Requests that no client should send. Each gets an answer that says what is wrong; afterwards
/// the server serves on and holds what it held before.
final class BadInputTests: ServerTestCase {
    private var database: TestDatabase!
    private var revision = ""

    override func setUpWithError() throws {
        try super.setUpWithError()
        database = try makeDatabase("CREATE TABLE t(a)", "INSERT INTO t VALUES('kept')")
        revision = try database.pull().revision
    }

    override func tearDownWithError() throws {
        XCTAssertEqual(try database.pull().revision, revision)
        XCTAssertEqual(try database.sql("SELECT a FROM t").rows, [["kept"]])
        try super.tearDownWithError()
    }

    // MARK: pull requests

    func testPullsThatAreNoProtobuf() throws {
        let rows: [(String, [UInt8])] = [
            ("text", Array("hello, is this the server?".utf8)),
            ("JSON", Array("{}".utf8)),
            ("zeros", [UInt8](repeating: 0, count: 16)),
            ("field number zero", [0x00, 0x01]),
            ("all ones", [UInt8](repeating: 0xFF, count: 64)),
            ("a varint that does not end", [0x20, 0x80]),
            ("a varint of eleven bytes", [0x20] + [UInt8](repeating: 0x80, count: 10) + [1]),
            ("a tag of eleven bytes", [UInt8](repeating: 0x80, count: 10) + [1]),
            ("a length beyond the end", [0x1A, 0x05, 0x61]),
            ("a length of 2^63", [0x1A] + [UInt8](repeating: 0xFF, count: 8) + [0x7F]),
            ("a length that wraps around", [0x1A] + [UInt8](repeating: 0xFF, count: 9) + [0x01]),
            ("a string as a number", [0x18, 0x01]),
            ("a number as a string", [0x22, 0x01, 0x61]),
            ("a selector as 32 bits", [0x2D, 1, 2, 3, 4]),
            ("half a 64-bit value", [0x79, 1, 2, 3]),
            ("a group", [0x1B, 0x1C]),
            ("wire type 7", [0x1F, 0x01]),
            ("a revision that is no UTF-8", [0x1A, 0x02, 0xC3, 0x28]),
            ("a query that is no UTF-8", [0x3A, 0x01, 0xFF]),
        ]
        for (label, body) in rows {
            let reply = try server.request(
                "POST", "/db/\(database.name)/pull-updates", body: body)
            assertFailure(reply, 400, "malformed_pull", label)
        }
    }

    /// Fields from later versions of the protocol are no mistake.
    func testPullsWithUnknownFieldsAreAnswered() throws {
        let unknown: [[UInt8]] = [
            [0x98, 0x06, 0x01], [0x9A, 0x06, 0x02, 0x61, 0x62], [0x08, 0x63], [0x40, 0x07],
        ]
        for body in unknown {
            let reply = try server.request(
                "POST", "/db/\(database.name)/pull-updates", body: body)
            XCTAssertFalse(
                try PulledPages(reply, file: #filePath, line: #line).pages.isEmpty, "\(body)")
        }
    }

    func testSelectorsThatAreNoBitmap() throws {
        let run: [UInt8] = [0x3B, 0x30, 0, 0, 1, 0, 0, 9, 0, 1, 0, 0, 0, 9, 0]
        let array: [UInt8] = [
            0x3A, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 16, 0, 0, 0, 3, 0, 4, 0,
        ]
        // These are well-formed, so that what follows is wrong in one respect only.
        for selector in [run, array] {
            XCTAssertEqual(
                try database.pullReply(PullBody(rawSelector: selector)).status, 200)
        }
        func changing(_ bytes: [UInt8], _ index: Int, _ value: UInt8) -> [UInt8] {
            var bytes = bytes
            bytes[index] = value
            return bytes
        }
        let rows: [(String, [UInt8])] = [
            ("text", Array("0,1,2,3".utf8)),
            ("another cookie", changing(run, 0, 0x3C)),
            ("a cookie alone", [0x3A, 0x30, 0, 0]),
            ("more containers than bytes", changing(array, 4, 200)),
            ("4 billion containers", [0x3A, 0x30, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]),
            ("more values than bytes", changing(array, 10, 200)),
            ("more runs than bytes", changing(run, 9, 200)),
            ("a run over the container's end", changing(changing(run, 12, 0xFF), 14, 0xFF)),
            ("values that descend", changing(array, 16, 9)),
            ("the same value twice", changing(array, 16, 4)),
            ("an offset elsewhere", changing(array, 12, 99)),
            ("something after it", run + [0]),
            ("cut off", Array(array.dropLast())),
            ("random", (0..<500).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) }),
        ]
        for (label, selector) in rows {
            assertFailure(
                try database.pullReply(PullBody(rawSelector: selector)), 400,
                "malformed_selector", label)
        }
    }

    func testBodiesThatAreNotCodedAsTheySay() throws {
        let frame = try ZstdEncoder.compress([UInt8](repeating: 7, count: 1000))
        let rows: [(String, String, [UInt8], Int)] = [
            ("text", "zstd", Array("plain".utf8), 400),
            ("cut off", "zstd", Array(frame.dropLast(3)), 400),
            ("changed", "zstd", frame.map { $0 ^ 0x55 }, 400),
            ("text", "gzip", Array("plain".utf8), 400),
            ("cut off", "gzip", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0], 400),
            ("twice", "gzip, zstd", [1, 2, 3], 415),
            ("not offered", "br", [1, 2, 3], 415),
            ("made up", "x-rot13", [1, 2, 3], 415),
        ]
        for (label, coding, body, status) in rows {
            for path in ["pull-updates", "v2/pipeline"] {
                let reply = try server.request(
                    "POST", "/db/\(database.name)/\(path)", ["Content-Encoding: \(coding)"],
                    body: body)
                assertFailure(reply, status, nil, "\(label) \(path)")
            }
        }
    }

    func testAPullRequestLargerThanAnyRealOneIsRefused() throws {
        let body = [UInt8](repeating: 0x1A, count: PullRequest.maximumSize + 1)
        for (coding, body) in [("identity", body), ("zstd", try ZstdEncoder.compress(body))] {
            let reply = try server.request(
                "POST", "/db/\(database.name)/pull-updates", ["Content-Encoding: \(coding)"],
                body: body)
            assertFailure(reply, 413, nil, coding)
        }
    }

    // MARK: pipelines

    func testPipelinesThatCannotBeRead() throws {
        func args(_ value: String) -> String {
            JSONText.execute("INSERT INTO t VALUES(?)", [value])
        }
        func batch(_ condition: String) -> String {
            JSONText.batch([#"{"condition":\#(condition),"stmt":{"sql":"DELETE FROM t"}}"#])
        }
        func nested(_ depth: Int) -> String {
            batch(
                String(repeating: #"{"type":"not","cond":"#, count: depth)
                    + #"{"type":"is_autocommit"}"# + String(repeating: "}", count: depth))
        }
        let rows: [(String, String)] = [
            ("nothing", ""), ("space", "  "), ("text", "DELETE FROM t"), ("null", "null"),
            ("an array", "[]"), ("a number", "7"), ("no requests", "{}"),
            ("requests that are no array", #"{"requests":{}}"#),
            ("a request that is no object", #"{"requests":[1]}"#),
            ("no type", #"{"requests":[{}]}"#),
            ("a type that is no string", #"{"requests":[{"type":1}]}"#),
            ("no statement", #"{"requests":[{"type":"execute"}]}"#),
            ("SQL that is no string", #"{"requests":[{"type":"execute","stmt":{"sql":1}}]}"#),
            ("a baton that is no string", #"{"baton":1,"requests":[]}"#),
            ("cut off", #"{"requests":[{"type":"execute","stmt":{"sql":"DELETE FROM t"}}]"#),
            ("something after it", #"{"requests":[]} x"#),
            ("a comma too many", #"{"requests":[],}"#),
            ("single quotes", "{'requests':[]}"),
            ("a bare control character", "{\"requests\":[],\"x\":\"\u{1}\"}"),
            ("a lone surrogate", #"{"requests":[{"type":"\ud800"}]}"#),
            ("deep arrays", String(repeating: "[", count: 100_000)),
            ("deep objects", String(repeating: #"{"a":"#, count: 100_000)),
            ("conditions nested deeply", nested(10_000)),
            ("an integer too large", args(#"{"type":"integer","value":"9223372036854775808"}"#)),
            ("an integer too small", args(#"{"type":"integer","value":"-9223372036854775809"}"#)),
            ("a number too large", args(#"{"type":"integer","value":9223372036854775808}"#)),
            ("an integer with a fraction", args(#"{"type":"integer","value":1.5}"#)),
            ("an empty integer", args(#"{"type":"integer","value":""}"#)),
            ("an integer with a space", args(#"{"type":"integer","value":" 1"}"#)),
            ("an integer with a sign", args(#"{"type":"integer","value":"+1"}"#)),
            ("an integer without value", args(#"{"type":"integer"}"#)),
            ("a float as text", args(#"{"type":"float","value":"1.5"}"#)),
            ("a float too large", args(#"{"type":"float","value":1e999}"#)),
            ("text as a number", args(#"{"type":"text","value":1}"#)),
            ("base64 with a stray character", args(#"{"type":"blob","base64":"A"}"#)),
            ("base64 of another alphabet", args(#"{"type":"blob","base64":"_-_-"}"#)),
            ("base64 with bits left over", args(#"{"type":"blob","base64":"/x"}"#)),
            ("base64 with padding inside", args(#"{"type":"blob","base64":"/w==/w=="}"#)),
            ("a blob without base64", args(#"{"type":"blob","value":"/w"}"#)),
            ("a made-up type", args(#"{"type":"date","value":"today"}"#)),
            ("a bare value", args("1")),
            ("a condition on itself", batch(#"{"type":"ok","step":0}"#)),
            ("a condition on a later step", batch(#"{"type":"ok","step":5}"#)),
            ("a condition on a step before all", batch(#"{"type":"error","step":-1}"#)),
            ("a condition on half a step", batch(#"{"type":"ok","step":0.5}"#)),
            ("a made-up condition", batch(#"{"type":"maybe"}"#)),
            ("an sql_id of 64 bits", #"{"requests":[{"type":"close_sql","sql_id":4294967296}]}"#),
        ]
        for (label, body) in rows {
            assertFailure(
                try database.pipeline(body), 400, "malformed_pipeline", label)
        }
        let invalid =
            Array(#"{"requests":[{"type":"sequence","sql":"DELETE FROM t -- "#.utf8)
            + [0xFF] + Array(#""}]}"#.utf8)
        assertFailure(
            try server.request("POST", "/db/\(database.name)/v2/pipeline", body: invalid), 400,
            "malformed_pipeline")
    }

    /// A request after the mistake must not run either: nothing of the body can be trusted.
    func testAMistakeAnywhereKeepsAllOfThePipelineFromRunning() throws {
        assertFailure(
            try database.pipeline(
                #"{"requests":[{"type":"execute","stmt":{"sql":"DELETE FROM t"}},"#
                    + #"{"type":"execute"}]}"#
            ),
            400, "malformed_pipeline")
    }

    // MARK: HTTP

    func testRequestsThatTwoServersCouldReadDifferently() throws {
        let path = "/db/\(database.name)/v2/pipeline"
        let body = #"{"requests":[{"type":"execute","stmt":{"sql":"DELETE FROM t"}}]}"#
        let length = body.utf8.count
        let chunk = "\(String(length, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
        let rows: [(label: String, request: String, status: Int)] = [
            (
                "both lengths",
                "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n\(chunk)", 400
            ),
            (
                "two lengths",
                "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n"
                    + "Content-Length: \(length)\r\n\r\n\(body)", 400
            ),
            (
                "a list of lengths",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Content-Length: \(length), \(length)\r\n\r\n\(body)", 400
            ),
            (
                "a signed length",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Content-Length: +\(length)\r\n\r\n\(body)", 400
            ),
            (
                "a length that overflows",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Content-Length: 18446744073709551616\r\n\r\n\(body)", 400
            ),
            (
                "a coding before chunked",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Transfer-Encoding: gzip, chunked\r\n\r\n\(chunk)", 501
            ),
            (
                "chunked twice",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)",
                400
            ),
            (
                "a space before the colon",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Content-Length : \(length)\r\n\r\n\(body)", 400
            ),
            (
                "a folded field",
                "POST \(path) HTTP/1.1\r\nHost: a\r\nX: 1\r\n"
                    + " Content-Length: 0\r\nContent-Length: \(length)\r\n\r\n\(body)", 400
            ),
            (
                "bare line feeds",
                "POST \(path) HTTP/1.1\nHost: a\nContent-Length: \(length)\n\n\(body)",
                400
            ),
            ("no host", "POST \(path) HTTP/1.1\r\nContent-Length: \(length)\r\n\r\n\(body)", 400),
            (
                "two hosts",
                "POST \(path) HTTP/1.1\r\nHost: a\r\nHost: b\r\n"
                    + "Content-Length: \(length)\r\n\r\n\(body)", 400
            ),
            (
                "a bad chunk size",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n0x\(chunk)", 400
            ),
            (
                "a chunk size that overflows",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n1\(String(repeating: "0", count: 16))\r\n",
                400
            ),
            (
                "a negative chunk size",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400
            ),
            (
                "a chunk longer than it says",
                "POST \(path) HTTP/1.1\r\nHost: a\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n1\r\n\(body)\r\n0\r\n\r\n", 400
            ),
            ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n", 400),
            ("not HTTP", "SELECT * FROM t\r\n\r\n", 400),
            ("a control character", "GET /health HTTP/1.1\r\nHost: a\r\nX: a\u{1}b\r\n\r\n", 400),
            (
                "an endless target",
                "GET /\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\n"
                    + "Host: a\r\n\r\n", 414
            ),
            (
                "endless fields",
                "GET /health HTTP/1.1\r\nHost: a\r\n"
                    + String(repeating: "X: \(String(repeating: "y", count: 1000))\r\n", count: 80)
                    + "\r\n", 431
            ),
        ]
        for row in rows {
            let client = try RawClient(port: server.http)
            try client.send(row.request)
            assertFailure(try client.readReply(), row.status, nil, row.label)
            // Where the next request would begin is unknown.
            XCTAssertTrue(client.isClosedByServer(), row.label)
        }
    }

    /// A refusal that leaves no doubt where the next request begins leaves the connection usable.
    func testAConnectionServesOnAfterARefusal() throws {
        let client = try RawClient(port: server.http)
        let refused: [([UInt8], Int)] = [
            (RawClient.request("POST", "/db/\(database.name)/pull-updates", body: [0xFF]), 400),
            (RawClient.request("POST", "/db/\(database.name)/v2/pipeline", body: [0x7B]), 400),
            (RawClient.request("POST", "/db/absent/v2/pipeline", body: [0x7B, 0x7D]), 404),
            (RawClient.request("GET", "/nowhere"), 404),
            (RawClient.request("GET", "/pull-updates"), 405),
        ]
        for (request, status) in refused {
            try client.send(request)
            assertFailure(try client.readReply(), status, nil)
        }
        try client.send(RawClient.request("GET", "/health"))
        XCTAssertEqual(try client.readReply().status, 200)
    }

    func testClientsThatHangUpInTheMiddleHarmNobody() throws {
        let whole = RawClient.request(
            "POST", "/db/\(database.name)/v2/pipeline",
            body: Array(
                #"{"requests":[{"type":"execute","stmt":{"sql":"DELETE FROM t"}}]}"#.utf8))
        for count in stride(from: 0, to: whole.count, by: 7) {
            let client = try RawClient(port: server.http)
            try client.send(Array(whole[..<count]))
            if count % 2 == 0 { client.close() } else { client.reset() }
        }
        XCTAssertEqual(try server.request("GET", "/health").status, 200)
    }

    /// Random changes to requests that are right: whatever they become, the server answers and the
    /// data stays whole.
    func testMutatedRequestsAreAnswered() throws {
        var random = SeededGenerator.announced(for: "testMutatedRequestsAreAnswered")
        let pull = PullBody(
            serverRevision: revision, clientRevision: revision, selector: Array(0..<9)
        ).bytes
        let pipeline = Array(
            JSONText.execute(
                "SELECT a FROM t WHERE a = ?1", [#"{"type":"text","value":"x"}"#]
            )
            .utf8)
        for (path, original) in [("pull-updates", pull), ("v2/pipeline", pipeline)] {
            for _ in 0..<150 {
                let body = random.mutate(original)
                let reply = try server.request(
                    "POST", "/db/\(database.name)/\(path)", body: body)
                XCTAssertTrue(
                    [200, 400, 409, 410].contains(reply.status), "\(reply.status) \(body)")
                XCTAssertTrue(reply.isComplete)
            }
        }
    }
}
