import XCTest

/// Bootstraps and pulls of frame sync; docs/protocol.md, "Frame sync".
final class FramePullTests: ServerTestCase {
    override class var serverArguments: [String] {
        ["--min-checkpoint-page-count", "20", "--frame-answer-pages", "40"]
    }

    private func get(_ database: TestDatabase, _ path: String) throws -> HTTPReply {
        try server.request("GET", "/db/\(database.name)\(path)")
    }

    func assertInSync(
        _ client: FrameClient, file: StaticString = #filePath, line: UInt = #line
    ) throws {
        XCTAssertEqual(
            client.image.differingPages(from: try client.database.export()), [], file: file,
            line: line)
        XCTAssertEqual(try client.image.integrity(), "ok", file: file, line: line)
    }

    func testAGenerationBeginsWithTheFirstUse() throws {
        let database = try makeDatabase("CREATE TABLE t(x)", "INSERT INTO t VALUES('before')")
        XCTAssertNil(try database.admin("GET", "/stats").object["generation"] as? Int)
        // Asking for frames begins nothing: such a client knows another server.
        for path in ["/export/1", "/sync/1/1/129", "/sync/1/2/129"] {
            XCTAssertEqual(try get(database, path).status, 410, path)
        }
        XCTAssertNil(try database.admin("GET", "/stats").object["generation"] as? Int)
        let info = try get(database, "/info")
        XCTAssertEqual(info.status, 200)
        XCTAssertEqual(info.text, #"{"current_generation":1}"#)
        XCTAssertEqual(info["content-type"], "application/json")
        XCTAssertEqual(try database.admin("GET", "/stats").object["generation"] as? Int, 1)
        let base = try database.export()
        // The base stays what it was, through commits, checkpoints and a smaller size.
        try database.sql("INSERT INTO t SELECT randomblob(3000) FROM generate_series(1, 60)")
        try database.sql("DELETE FROM t")
        try database.sql("VACUUM")
        let export = DatabaseImage(
            bytes: Array(try FrameClient.export(database, generation: 1).joined()))
        XCTAssertEqual(export.differingPages(from: base), [])
        XCTAssertEqual(try export.text("SELECT x FROM t"), "before")
        XCTAssertEqual(try get(database, "/info").text, #"{"current_generation":1}"#)
    }

    func testCommitsComeAsFrames() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        let client = try FrameClient(database)
        XCTAssertEqual(try client.pull(), 0)
        try database.sql("INSERT INTO t SELECT value, randomblob(900) FROM generate_series(1, 9)")
        XCTAssertGreaterThan(try client.pull(), 0)
        try assertInSync(client)
        try database.sql("CREATE INDEX i ON t(v)")
        try database.sql("DELETE FROM t WHERE id > 3")
        try database.sql("VACUUM")
        XCTAssertGreaterThan(try client.pull(), 0)
        try assertInSync(client)
        // A second one gets the same frames from the beginning.
        let late = try FrameClient(database)
        try late.pull()
        XCTAssertEqual(late.frames == client.frames, true)
        try assertInSync(late)
        // A transaction that was rolled back has none.
        _ = try database.pipeline(
            JSONText.batch([
                #"{"stmt":\#(JSONText.statement("BEGIN"))}"#,
                #"{"stmt":\#(JSONText.statement("INSERT INTO t(v) VALUES('no')"))}"#,
                #"{"stmt":\#(JSONText.statement("ROLLBACK"))}"#,
            ]))
        XCTAssertEqual(try client.pull(), 0)
    }

    func testAnswersHoldManyFramesUpToTheLimitAndEndWithACommit() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        let client = try FrameClient(database)
        for _ in 1...60 { try database.sql("INSERT INTO t(v) VALUES(randomblob(100))") }
        let reply = try client.pullReply(from: 1)
        let frames = WireFrame.decode(reply.body)
        XCTAssertEqual(reply.status, 200)
        XCTAssertLessThanOrEqual(frames.count, 40)
        XCTAssertGreaterThan(frames.count, 30)
        XCTAssertGreaterThan(frames.last?.databaseSize ?? 0, 0)
        // The end of the URL is a wish; a transaction is never cut.
        let one = try get(database, "/sync/1/1/2")
        XCTAssertEqual(one.body, reply.body)
        try database.sql("INSERT INTO t SELECT NULL, randomblob(2000) FROM generate_series(1, 200)")
        try client.pull()
        try assertInSync(client)
        let big = try client.pullReply(from: client.frames.count)
        XCTAssertEqual(WireFrame.decode(big.body), [client.frames.last])
    }

    func testTheEndAndBeyond() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        let client = try FrameClient(database)
        try database.sql("INSERT INTO t VALUES(1)")
        try client.pull()
        let count = client.frames.count
        let end = try client.pullReply()
        XCTAssertEqual(end.status, 400)
        XCTAssertEqual(end["content-type"], "application/json")
        XCTAssertEqual(
            end.text,
            #"{"baton":null,"status":"checkpoint_needed","generation":1,"max_frame_no":\#(count)}"#
        )
        let start = count + 1
        for path in [
            "/sync/1/\(start + 1)/\(start + 129)", "/sync/2/1/129", "/sync/77/1/129",
            "/sync/1/4294967294/4294967295", "/sync/4294967295/1/2",
        ] {
            assertFailure(try get(database, path), 410, "client_ahead", path)
        }
        for path in ["/export/2", "/export/4294967295"] {
            assertFailure(try get(database, path), 410, "generation_gone", path)
        }
    }

    func testMalformedURLs() throws {
        let database = try makeDatabase()
        _ = try FrameClient.info(database)
        let ranges = [
            "0/1/2", "1/0/2", "1/2/2", "1/3/2", "0/0/0", "-1/1/2", "+1/1/2", "1/+1/2", "1/1/-2",
            "1/1/4294967296", "4294967296/1/2", "1/1/99999999999999999999", "1/1/0x5", "1/1/2.0",
            "a/b/c", "1/1/%32", "1/1/2%00", "1/%31/2", "1/1/1e3", "1/1/,",
        ]
        for range in ranges {
            let path = "/sync/\(range)"
            assertFailure(try get(database, path), 400, "malformed_frame_range", path)
            let push = try server.request("POST", "/db/\(database.name)\(path)", body: [])
            assertFailure(push, 400, "malformed_frame_range", path)
        }
        for path in ["/export/0", "/export/x", "/export/-1", "/export/4294967296", "/export/1%20"] {
            assertFailure(try get(database, path), 400, "malformed_frame_range", path)
        }
        for path in [
            "/sync", "/sync/1", "/sync/1/1", "/export", "/export/1/1", "/info/x",
            "/sync/1/1/2/baton/more", "/Sync/1/1/2", "/INFO",
        ] {
            assertFailure(try get(database, path), 404, "not_found", path)
        }
        let rows: [(method: String, path: String, allow: String)] = [
            ("POST", "/info", "GET, HEAD"), ("DELETE", "/info", "GET, HEAD"),
            ("POST", "/export/1", "GET, HEAD"), ("PUT", "/sync/1/1/2", "GET, HEAD, POST"),
            ("GET", "/sync/1/1/2/baton", "POST"),
        ]
        for row in rows {
            let reply = try server.request(
                row.method, "/db/\(database.name)\(row.path)",
                body: row.method == "POST" ? [] : nil)
            assertFailure(reply, 405, "method_not_allowed", row.path)
            XCTAssertEqual(reply["allow"], row.allow, row.path)
        }
    }

    func testEveryWayToADatabase() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        _ = try FrameClient.info(database)
        try database.sql("INSERT INTO t VALUES(1)")
        let export = try get(database, "/export/1").body
        let frames = try get(database, "/sync/1/1/129").body
        XCTAssertEqual(frames.count % WireFrame.size, 0)
        let ways: [(prefix: String, fields: [String])] = [
            ("/dev/\(database.name)", []), ("//db//\(database.name)/", []),
            ("/", ["x-namespace: \(database.name)"]),
            ("", ["Host: \(database.name).localhost"]),
        ]
        for (prefix, fields) in ways {
            XCTAssertEqual(
                try server.request("GET", prefix + "/info", fields).text,
                #"{"current_generation":1}"#, prefix)
            XCTAssertEqual(try server.request("GET", prefix + "/export/1", fields).body, export)
            XCTAssertEqual(
                try server.request("GET", prefix + "/sync/1/1/129", fields).body, frames)
        }
        for path in ["/info", "/export/1", "/sync/1/1/2"] {
            assertFailure(
                try server.request("GET", "/db/absent\(path)"), 404, "database_unknown", path)
        }
        assertFailure(
            try server.request(
                "POST", "/db/absent/sync/1/1/2", body: [UInt8](repeating: 0, count: 4120)), 404,
            "database_unknown")
        let head = try server.request("HEAD", "/db/\(database.name)/export/1")
        XCTAssertEqual(head.status, 200)
        XCTAssertEqual(head["content-length"], "\(export.count)")
    }

    func testFrameSyncCanBeSwitchedOff() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        let client = try FrameClient(database)
        try client.commit("INSERT INTO t VALUES(1)")
        let requests: [(String) throws -> HTTPReply] = [
            { _ in try self.get(database, "/info") },
            { _ in try self.get(database, "/export/1") },
            { _ in try self.get(database, "/sync/1/1/2") },
            { _ in try client.pushReply(1..<client.frames.count + 1) },
        ]
        func configure(_ json: String) throws -> HTTPReply {
            try database.admin("POST", "/config", body: Array(json.utf8))
        }
        XCTAssertEqual(
            try configure(#"{"frame_sync":false}"#).text,
            #"{"strict_push":false,"synced":true,"frame_sync":false}"#)
        for request in requests { assertFailure(try request(""), 404, "frame_sync_off") }
        XCTAssertEqual(try configure(#"{"frame_sync":true,"synced":false}"#).status, 200)
        for request in requests { assertFailure(try request(""), 409, "not_synced") }
        XCTAssertEqual(try configure(#"{"frame_sync":false}"#).status, 200)
        for request in requests { assertFailure(try request(""), 404, "frame_sync_off") }
        XCTAssertEqual(try configure(#"{"frame_sync":true,"synced":true}"#).status, 200)
        // All that was there goes on.
        XCTAssertEqual(try client.push(), client.frames.count)
        try assertInSync(client)
        assertFailure(try configure(#"{"frame_sync":1}"#), 400, "malformed_config")
    }
}
