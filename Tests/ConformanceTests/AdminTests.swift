import Codecs
import XCTest

/// The admin listener; docs/protocol.md, "Admin API".
final class AdminTests: ServerTestCase {
    private func uniqueName() -> String { "a\(UInt32.random(in: 0 ... .max))" }

    private var names: [String] {
        get throws {
            let reply = try server.adminRequest("GET", "/v1/namespaces")
            XCTAssertEqual(reply.status, 200)
            let list = reply.object["namespaces"] as? [[String: Any]] ?? []
            return list.compactMap { $0["name"] as? String }
        }
    }

    func testDatabasesAreMadeListedAndDeleted() throws {
        let name = uniqueName()
        let database = server.database(name)
        XCTAssertTrue(try names.contains("default"))
        assertFailure(try database.pullReply(), 404, "database_unknown")

        let created = try database.admin("POST", "/create")
        XCTAssertEqual(created.status, 200)
        XCTAssertEqual(created.text, "{}")
        XCTAssertTrue(try names.contains(name))
        XCTAssertEqual(try names, try names.sorted())
        try database.sql("CREATE TABLE t(x)")

        let again = try database.admin("POST", "/create")
        assertFailure(again, 400, "database_exists")
        XCTAssertTrue(again.text.contains("already exists"))
        XCTAssertEqual(try database.sql("SELECT name FROM sqlite_schema").rows, [["t"]])

        XCTAssertEqual(try database.admin("DELETE", "").status, 200)
        XCTAssertFalse(try names.contains(name))
        assertFailure(try database.pullReply(), 404, "database_unknown")
        assertFailure(try database.admin("DELETE", ""), 404, "database_unknown")
        XCTAssertFalse(server.dataFiles.contains { $0.contains(name) || $0.contains("/.") })
    }

    /// Some tools send a body with settings when they create.
    func testCreateTakesABody() throws {
        let reply = try server.database(uniqueName()).admin(
            "POST", "/create", body: Array(#"{"dump_url":null}"#.utf8))
        XCTAssertEqual(reply.status, 200)
    }

    func testTenantsGroupsAndDatabases() throws {
        let (tenant, group, name) = (uniqueName(), uniqueName(), uniqueName())
        let base = "/v1/tenants/\(tenant)"
        for path in [base, "\(base)/groups/\(group)"] {
            // Tools make them first, and again at every start.
            for _ in 0..<2 {
                XCTAssertEqual(try server.adminRequest("POST", path).status, 200, path)
            }
        }
        let path = "\(base)/groups/\(group)/databases/\(name)"
        XCTAssertEqual(try server.adminRequest("POST", path).status, 200)
        let again = try server.adminRequest("POST", path)
        assertFailure(again, 400, "database_exists")
        XCTAssertTrue(again.text.contains("already exists"))

        let host = "Host: \(name)--\(group)--\(tenant).localhost:8080"
        let body = #"{"requests":[{"type":"sequence","sql":"CREATE TABLE here(x)"}]}"#
        XCTAssertEqual(
            try server.request("POST", "/v2/pipeline", [host], body: Array(body.utf8)).status, 200)
        let pull = try PulledPages(
            try server.request("POST", "/pull-updates", [host], body: []), file: #filePath,
            line: #line)
        var replica = DatabaseImage()
        replica.apply(pull)
        XCTAssertEqual(try replica.text("SELECT name FROM sqlite_schema"), "here")
    }

    func testPathsAndNamesThatAreWrong() throws {
        let before = server.dataFiles
        let long = String(repeating: "n", count: 100)
        let rows: [(String, String, Int)] = [
            ("POST", "/v1/namespaces/../create", 400),
            ("POST", "/v1/namespaces/%2e%2e/create", 400),
            ("POST", "/v1/namespaces/a.b/create", 400),
            ("POST", "/v1/namespaces/\(String(repeating: "n", count: 129))/create", 400),
            ("POST", "/v1/namespaces/x/fork/..", 400), ("DELETE", "/v1/namespaces/.", 400),
            ("GET", "/v1/namespaces/..%2f..%2fetc/export", 400),
            ("POST", "/v1/tenants/a.b", 400), ("POST", "/v1/tenants/a/groups/b.c", 400),
            ("POST", "/v1/tenants/a/groups/b/databases/..", 400),
            (
                "POST",
                "/v1/tenants/\(long)/groups/\(long)/databases/d",
                400
            ),
            ("POST", "/v1/tenants/a/databases/b", 404), ("GET", "/v1/namespaces/x/create", 404),
            ("POST", "/v1/namespaces/x/nothing", 404), ("GET", "/", 404),
            ("POST", "/pull-updates", 404), ("POST", "/v2/pipeline", 404),
            ("GET", "/v1/namespaces/absent/stats", 404),
            ("GET", "/v1/namespaces/absent/export", 404),
            ("GET", "/v1/namespaces/absent/rejected", 404),
            ("GET", "/v1/namespaces/absent/config", 404),
            ("POST", "/v1/namespaces/absent/config", 404),
            ("POST", "/v1/namespaces/absent/fork/b", 404),
        ]
        for (method, path, status) in rows {
            assertFailure(
                try server.adminRequest(method, path), status, nil, "\(method) \(path)")
        }
        XCTAssertEqual(server.dataFiles, before)
    }

    func testHealthAndVersion() throws {
        XCTAssertEqual(try server.adminRequest("GET", "/health").text, #"{"status":"ok"}"#)
        XCTAssertEqual(
            try server.adminRequest("GET", "/version").object["name"] as? String, "tidemark")
    }

    func testSettings() throws {
        let database = try makeDatabase()
        let rows: [(sent: String, expected: String)] = [
            ("{}", #"{"strict_push":false,"synced":true,"frame_sync":true}"#),
            (#"{"strict_push":true}"#, #"{"strict_push":true,"synced":true,"frame_sync":true}"#),
            (
                #"{"synced":false,"other":1}"#,
                #"{"strict_push":true,"synced":false,"frame_sync":true}"#
            ),
            (
                #"{"strict_push":false,"synced":true,"frame_sync":true}"#,
                #"{"strict_push":false,"synced":true,"frame_sync":true}"#
            ),
        ]
        for row in rows {
            let reply = try database.admin("POST", "/config", body: Array(row.sent.utf8))
            XCTAssertEqual(reply.text, row.expected, row.sent)
            XCTAssertEqual(try database.admin("GET", "/config").text, row.expected)
        }
        for wrong in [
            "", "x", "[]", #"{"synced":1}"#, #"{"strict_push":"yes"}"#, #"{"strict_push":null}"#,
        ] {
            assertFailure(
                try database.admin("POST", "/config", body: Array(wrong.utf8)), 400, nil, wrong)
        }
        XCTAssertEqual(
            try database.admin("GET", "/config").text,
            #"{"strict_push":false,"synced":true,"frame_sync":true}"#)
    }

    func testSettingsOutliveTheServer() throws {
        var server = try RunningServer()
        defer { server.kill() }
        _ = try server.database("default").admin(
            "POST", "/config", body: Array(#"{"strict_push":true}"#.utf8))
        server = try server.restarted(isKilled: true)
        XCTAssertEqual(
            try server.database("default").admin("GET", "/config").text,
            #"{"strict_push":true,"synced":true,"frame_sync":true}"#)
    }

    func testStatistics() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        let pull = try database.pull()
        let reply = try database.admin("GET", "/stats")
        let null: Set<String> = ["generation", "last_checkpoint"]
        XCTAssertEqual(
            Set(reply.object.keys),
            null.union([
                "revision", "pages", "wal_pages", "wal_bytes", "main_bytes", "history_bytes",
                "frame_bytes", "cache_bytes",
                "pins", "dropped_pins", "rejected_changes", "bytes_sent", "bytes_received",
                "long_polls", "open_streams",
            ]))
        XCTAssertEqual(reply.object["revision"] as? String, pull.revision)
        XCTAssertEqual(reply.object["pages"] as? Int, pull.databaseSize)
        for key in reply.object.keys where key != "revision" && !null.contains(key) {
            XCTAssertNotNil(reply.object[key] as? Int, key)
        }
        for key in null { XCTAssertTrue(reply.object[key] is NSNull, key) }
        XCTAssertEqual(reply.object["rejected_changes"] as? Int, 0)
        XCTAssertEqual(try database.admin("GET", "/rejected").text, #"{"rejected":[]}"#)
    }

    func testTheLastCheckpointIsShown() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        let body = Array(#"{"mode":"full"}"#.utf8)
        XCTAssertEqual(try database.admin("POST", "/checkpoint", body: body).status, 200)
        let stats = try database.admin("GET", "/stats").object
        let checkpoint = try XCTUnwrap(stats["last_checkpoint"] as? [String: Any])
        XCTAssertEqual(
            Set(checkpoint.keys), ["mode", "result", "busy", "log", "checkpointed", "time"])
        XCTAssertEqual(checkpoint["mode"] as? String, "full")
        XCTAssertEqual(checkpoint["result"] as? String, "complete")
        XCTAssertEqual(checkpoint["busy"] as? Int, 0)
        XCTAssertEqual(checkpoint["log"] as? Int, checkpoint["checkpointed"] as? Int)
        let time = try XCTUnwrap(checkpoint["time"] as? String)
        XCTAssertTrue(time.hasSuffix("Z"), time)
        XCTAssertEqual(stats["wal_pages"] as? Int, 0)
    }

    /// Bodies as they travel, on the sync listener alone, whatever the answer is.
    func testTrafficIsCountedPerDatabase() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        try database.sql("INSERT INTO t SELECT zeroblob(3000) FROM generate_series(1, 500)")
        let start = try traffic(database)
        XCTAssertEqual(try traffic(database), start, "the admin API is not counted")
        let other = try traffic(makeDatabase())

        let body = PullBody(query: "SELECT count(*) FROM t").bytes
        let compressed = try ZstdEncoder.compress(
            Array(JSONText.execute("SELECT '\(String(repeating: "x", count: 5000))'", []).utf8))
        let replies = [
            try database.pullReply(), try database.pullReply(PullBody(query: "SELEC")),
            try server.request("POST", "/db/\(database.name)/pull-updates", body: body),
            try server.request(
                "POST", "/db/\(database.name)/v2/pipeline", ["Content-Encoding: zstd"],
                body: compressed),
        ]
        XCTAssertEqual(replies.map(\.status), [200, 400, 200, 200])
        XCTAssertGreaterThan(replies[0].body.count, 1_500_000)
        let end = try traffic(database)
        XCTAssertEqual(end.sent - start.sent, replies.map(\.body.count).reduce(0, +))
        XCTAssertEqual(
            end.received - start.received,
            PullBody(query: "SELEC").bytes.count + body.count + compressed.count)
        XCTAssertEqual(other.sent, 0)
        XCTAssertEqual(other.received, 0)
    }

    private func traffic(_ database: TestDatabase) throws -> Traffic {
        Traffic(
            sent: try database.statistic("bytes_sent"),
            received: try database.statistic("bytes_received"))
    }

    private struct Traffic: Equatable {
        let sent: Int
        let received: Int
    }

    /// Also of a database that was closed meanwhile; another one with its name starts anew.
    func testTrafficOutlivesTheOpenDatabase() throws {
        let server = try RunningServer(arguments: ["--max-open-databases", "1"])
        defer { server.kill() }
        let database = server.database("one")
        XCTAssertEqual(try database.admin("POST", "/create").status, 200)
        let pulled = try database.pullReply().body.count
        for name in ["two", "three"] {
            XCTAssertEqual(try server.database(name).admin("POST", "/create").status, 200)
            _ = try server.database(name).pull()
        }
        // Its own figures would open it again.
        try wait(for: "it is closed") {
            let list = try server.adminRequest("GET", "/v1/namespaces").object["namespaces"]
            let one = (list as? [[String: Any]])?.first { $0["name"] as? String == "one" }
            return one?["revision"] is NSNull
        }
        XCTAssertEqual(try database.statistic("bytes_sent"), pulled)
        XCTAssertEqual(try database.admin("DELETE", "").status, 200)
        XCTAssertEqual(try database.admin("POST", "/create").status, 200)
        XCTAssertEqual(try database.statistic("bytes_sent"), 0)
        XCTAssertEqual(server.stop(), 0, server.log)
    }

    // MARK: copies

    func testAnExportIsAWholeDatabaseFile() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
            "INSERT INTO t SELECT value, randomblob(1000) FROM generate_series(1, 3000)")
        let reply = try database.admin("GET", "/export")
        XCTAssertEqual(reply["content-type"], "application/vnd.sqlite3")
        XCTAssertTrue(reply.isComplete)
        // Rollback mode: it opens without a WAL next to it, also where it cannot be written.
        XCTAssertEqual(Array(reply.body[18...19]), [1, 1])
        let export = DatabaseImage(bytes: reply.body)
        XCTAssertEqual(try export.integrity(), "ok")
        XCTAssertEqual(try export.text("SELECT count(*) FROM t"), "3000")
        var replica = DatabaseImage()
        replica.apply(try database.pull())
        XCTAssertEqual(replica.differingPages(from: export), [])
    }

    /// Transactions keep the sum, so a state between two of them would show.
    func testAnExportIsOneStateWhileWritersRun() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, n, filler)",
            "INSERT INTO t SELECT value, 10, zeroblob(3000) FROM generate_series(1, 4000)")
        let client = try RawClient(port: server.admin, receiveBuffer: 8192)
        try client.send(RawClient.request("GET", "/v1/namespaces/\(database.name)/export"))
        var reply = try client.readHead()
        for round in 1...20 {
            try database.sql(
                "UPDATE t SET n = n + CASE WHEN id % 2 THEN \(round) ELSE -\(round) END")
        }
        try client.readBody(of: &reply)
        XCTAssertTrue(reply.isComplete)
        let export = DatabaseImage(bytes: reply.body)
        XCTAssertEqual(try export.integrity(), "ok")
        XCTAssertEqual(try export.text("SELECT sum(n) || ',' || max(n) FROM t"), "40000,10")
        XCTAssertEqual(try database.sql("SELECT sum(n) FROM t").rows, [["40000"]])
    }

    func testAForkIsACopyThatGoesItsOwnWay() throws {
        let database = try makeDatabase("CREATE TABLE t(x)", "INSERT INTO t VALUES(1)")
        let fork = server.database(uniqueName())
        XCTAssertEqual(try database.admin("POST", "/fork/\(fork.name)").status, 200)
        try database.sql("INSERT INTO t VALUES(2)")
        try fork.sql("INSERT INTO t VALUES(3)")
        XCTAssertEqual(try database.sql("SELECT group_concat(x) FROM t").rows, [["1,2"]])
        XCTAssertEqual(try fork.sql("SELECT group_concat(x) FROM t").rows, [["1,3"]])
        assertFailure(
            try database.admin("POST", "/fork/\(fork.name)"), 400, "database_exists")
        assertFailure(try database.admin("POST", "/fork/\(database.name)"), 400, "database_exists")
    }

    func testDeletingWhileOthersUseItIsSafe() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(x)",
            "INSERT INTO t SELECT randomblob(4000) FROM generate_series(1, 200)")
        let clients = try (0..<20).map { _ in try RawClient(port: server.http) }
        for (index, client) in clients.enumerated() {
            let body = JSONText.execute("INSERT INTO t VALUES(\(index))")
            try client.send(
                index % 2 == 0
                    ? RawClient.request("POST", "/db/\(database.name)/pull-updates", body: [])
                    : RawClient.request(
                        "POST", "/db/\(database.name)/v2/pipeline", body: Array(body.utf8)))
        }
        XCTAssertEqual(try database.admin("DELETE", "").status, 200)
        for client in clients {
            let reply = try client.readReply()
            XCTAssertTrue(
                [200, 404, 503].contains(reply.status), "\(reply.status) \(reply.text)")
        }
        XCTAssertEqual(try database.admin("POST", "/create").status, 200)
        XCTAssertEqual(try database.pull().ids, [0])
    }
}
