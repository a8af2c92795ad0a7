import Codecs
import XCTest

/// Limits that an operator sets, made tiny; docs/operations.md.
final class LimitTests: ServerTestCase {
    override class var serverArguments: [String] {
        ["--statement-timeout", "200ms", "--max-body-size", "64KiB", "--max-connections", "20"]
    }

    private let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    func testAStatementThatRunsTooLongIsInterrupted() throws {
        let database = try makeDatabase("CREATE TABLE t(a)")
        for sql in [endless, "INSERT INTO t \(endless)", "CREATE TABLE u AS \(endless)"] {
            let failure = try database.failure(of: sql)
            XCTAssertEqual(failure?.code, "SQLITE_INTERRUPT", sql)
            XCTAssertTrue(failure?.message.contains("longer than its limit") ?? false, sql)
        }
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["0"]])
        XCTAssertEqual(try database.sql("SELECT name FROM sqlite_schema").rows, [["t"]])
    }

    /// Every route that takes a body, but for imports, which take no coding.
    func testBombsAreRefusedEverywhere() throws {
        let database = try makeDatabase("CREATE TABLE t(a)")
        let revision = try database.pull().revision
        let zeros = [UInt8](repeating: 0x20, count: 8 << 20)
        var gzip = ContentEncoder(.gzip, level: 9)
        let piece = try gzip.piece(of: zeros)
        let begin = gzip.append(sourceSize: piece.sourceSize, checksum: piece.checksum)
        let bombs = [
            ("zstd", try ZstdEncoder.compress(zeros)),
            ("gzip", begin + piece.bytes + gzip.finish()),
        ]
        for (coding, bomb) in bombs {
            XCTAssertLessThan(bomb.count, 20_000, "it would be refused for its size")
            for path in ["v2/pipeline", "v3/pipeline", "v3/cursor", "pull-updates", "sync/1/1/11"] {
                let reply = try server.request(
                    "POST", "/db/\(database.name)/\(path)", ["Content-Encoding: \(coding)"],
                    body: bomb)
                assertFailure(reply, 413, nil, "\(coding) \(path)")
            }
        }
        XCTAssertEqual(try database.pull().revision, revision)
    }

    func testABodyThatIsTooLargeIsRefused() throws {
        let database = try makeDatabase("CREATE TABLE t(a)")
        let revision = try database.pull().revision
        let path = "/db/\(database.name)/v2/pipeline"
        let sql = String(repeating: " ", count: 70_000)
        let body = Array(
            #"{"requests":[{"type":"execute","stmt":{"sql":"INSERT INTO t VALUES(1)\#(sql)"}}]}"#
                .utf8)

        assertFailure(try server.request("POST", path, body: body), 413, nil, "announced")
        assertFailure(
            try server.request(
                "POST", path, ["Content-Encoding: zstd"], body: try ZstdEncoder.compress(body)),
            413, "body_too_large", "compressed")
        let client = try RawClient(port: server.http)
        try client.send("POST \(path) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        try client.send("\(String(body.count, radix: 16))\r\n")
        try client.send(body + Array("\r\n0\r\n\r\n".utf8))
        assertFailure(try client.readReply(), 413, nil, "chunked")

        let pull = [UInt8](repeating: 0, count: 70_000)
        assertFailure(
            try server.request("POST", "/db/\(database.name)/pull-updates", body: pull), 413, nil)
        // Refused before it is sent.
        let asking = try RawClient(port: server.http)
        try asking.send(
            "POST \(path) HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                + "Content-Length: 99999999\r\n\r\n"
        )
        assertFailure(try asking.readReply(), 413, nil, "expected")
        XCTAssertEqual(try database.pull().revision, revision)
    }

    /// Clients beyond the limit wait for their turn instead of being turned away.
    func testConnectionsBeyondTheLimitAreServedInTheEnd() throws {
        let clients = try (0..<40).map { _ in try RawClient(port: server.http) }
        for client in clients { try client.send(RawClient.request("GET", "/health")) }
        for client in clients {
            XCTAssertEqual(try client.readReply().status, 200)
            client.close()
        }
    }
}
