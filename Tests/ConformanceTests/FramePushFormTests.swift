import XCTest

/// What of a frame push's form matters and what does not; docs/protocol.md, "Pushing frames".
final class FramePushFormTests: ServerTestCase {
    private func makeClient(_ rows: Int) throws -> FrameClient {
        let client = try FrameClient(
            try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)"))
        try client.commit(
            "INSERT INTO t SELECT value, randomblob(2500) FROM generate_series(1, \(rows))")
        return client
    }

    private func push(
        _ client: FrameClient, _ body: [UInt8], start: Int = 1, baton: String = "",
        fields: [String] = []
    ) throws -> HTTPReply {
        let end = start + body.count / WireFrame.size
        return try server.request(
            "POST", "/db/\(client.database.name)/sync/1/\(start)/\(end)\(baton)", fields,
            body: body)
    }

    private func assertTaken(_ reply: HTTPReply, upTo last: Int, line: UInt = #line) {
        let baton = reply.object["baton"] as? String ?? ""
        XCTAssertEqual(baton.count, 32, line: line)
        XCTAssertEqual(
            reply.text,
            #"{"status":"ok","generation":1,"max_frame_no":\#(last),"baton":"\#(baton)"}"#,
            line: line)
    }

    func testSaltsChecksumsAndByteOrderAreTheClientsOwn() throws {
        let client = try makeClient(9)
        let count = client.frames.count
        for (salt, isBigEndian) in [(3, false), (7_000_000, true), (UInt32.max, false)] {
            let body = WireFrame.encode(client.frames, salt: salt, isBigEndian: isBigEndian)
            assertTaken(try push(client, body), upTo: count)
        }
        // One that is alone follows from none.
        var alone = WireFrame.encode([client.frames[0]])
        for index in 8..<24 { alone[index] = 0xEE }
        assertTaken(try push(client, alone), upTo: 1)
        XCTAssertEqual(client.image.differingPages(from: try client.database.export()), [])
    }

    func testABodyMayHaveMoreFramesThanClientsSend() throws {
        let client = try makeClient(900)
        XCTAssertGreaterThan(client.frames.count, 512)
        assertTaken(
            try push(client, WireFrame.encode(client.frames)), upTo: client.frames.count)
        XCTAssertEqual(client.image.differingPages(from: try client.database.export()), [])
    }

    func testABatonThatNobodyKnowsCountsAsNone() throws {
        let client = try makeClient(40)
        let body = WireFrame.encode(client.frames[..<3])
        let batons = [
            "x", "null", String(repeating: "0", count: 32), String(repeating: "a", count: 9000),
            "%2F", "%00", "%F0%9F%92%A9", "-1", "...", "1;2", "'",
        ]
        for baton in batons {
            let reply = try push(client, body, baton: "/" + baton)
            assertTaken(reply, upTo: 3)
            XCTAssertNotEqual(reply.object["baton"] as? String, baton)
            XCTAssertEqual(
                try push(
                    client, WireFrame.encode(client.frames[3..<5]), start: 4,
                    baton: "/" + baton
                ).text,
                #"{"status":"ok","generation":1,"max_frame_no":0,"baton":null}"#, baton)
        }
        // One of a push that has ended.
        let baton = try XCTUnwrap(try push(client, body).object["baton"] as? String)
        let rest = WireFrame.encode(client.frames[3...])
        assertTaken(
            try push(client, rest, start: 4, baton: "/" + baton), upTo: client.frames.count)
        assertTaken(
            try push(client, rest, start: 4, baton: "/" + baton), upTo: client.frames.count)
        XCTAssertEqual(client.image.differingPages(from: try client.database.export()), [])
    }

    func testBodiesMayComeInAnyFraming() throws {
        let client = try makeClient(9)
        let body = WireFrame.encode(client.frames)
        for fields in [
            ["Content-Type: application/octet-stream"], ["Content-Type: application/json"],
            ["Content-Encoding: identity"], ["Accept-Encoding: gzip, br"],
        ] {
            assertTaken(try push(client, body, fields: fields), upTo: client.frames.count)
        }
        assertFailure(
            try push(client, body, fields: ["Content-Encoding: br"]), 415,
            "content_encoding_unknown")
        assertFailure(
            try push(client, body, fields: ["Content-Encoding: gzip"]), 400, "malformed_gzip")
        assertFailure(
            try push(client, body, fields: ["Content-Encoding: zstd"]), 400, "malformed_zstd")
    }
}
