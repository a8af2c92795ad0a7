import Foundation
import XCTest

/// Streams that go on over several requests; docs/protocol.md, "Streams".
final class StreamTests: ServerTestCase {
    override class var serverArguments: [String] {
        ["--stream-idle-timeout", "1h", "--transaction-timeout", "1h"]
    }

    private func makeTable() throws -> TestDatabase {
        try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY)")
    }

    // MARK: requests

    func testATransactionByteForByte() throws {
        for version in ["v2", "v3"] {
            let database = try makeTable()
            let path = "/db/\(database.name)/\(version)/pipeline"
            func exchange(_ baton: String?, _ requests: String) throws -> (String, String) {
                let reply = try server.request(
                    "POST", path, body: Array(StreamRequests.body(baton, requests).utf8))
                XCTAssertEqual(reply.status, 200, reply.text)
                XCTAssertEqual(reply["content-type"], "application/json")
                let next = try reply.baton
                return (next, reply.text.replacingOccurrences(of: next, with: "BATON"))
            }
            func executed(_ affected: Int, _ rowid: String) -> String {
                #"{"type":"ok","response":{"type":"execute","result":{"cols":[],"rows":[],"#
                    + #""affected_row_count":\#(affected),"last_insert_rowid":\#(rowid),"#
                    + #""replication_index":null}}}"#
            }
            let head = #"{"baton":"BATON","base_url":null,"results":["#
            let (first, begun) = try exchange(nil, StreamRequests.execute("BEGIN"))
            XCTAssertEqual(begun, head + executed(0, "null") + "]}")
            let (second, inserted) = try exchange(
                first, StreamRequests.execute("INSERT INTO t VALUES(5)"))
            XCTAssertEqual(inserted, head + executed(1, #""5""#) + "]}")
            XCTAssertNotEqual(first, second)
            XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["0"]])
            let end = try database.pipeline(
                StreamRequests.body(
                    second,
                    [
                        StreamRequests.execute("COMMIT"), #"{"type":"get_autocommit"}"#,
                        #"{"type":"close"}"#,
                    ].joined(separator: ",")))
            XCTAssertEqual(
                end.text,
                #"{"baton":null,"base_url":null,"results":["# + executed(0, "null")
                    + #",{"type":"ok","response":{"type":"get_autocommit","is_autocommit":true}},"#
                    + #"{"type":"ok","response":{"type":"close"}}]}"#)
            XCTAssertEqual(try database.sql("SELECT id FROM t").rows, [["5"]])
        }
    }

    func testWhatGetsABaton() throws {
        let rows: [(sql: [String], isKept: Bool)] = [
            (["SELECT 1"], false), (["INSERT INTO t VALUES(1)"], false), (["BEGIN"], true),
            (["BEGIN", "COMMIT"], false), (["BEGIN", "INSERT INTO t VALUES(1)"], true),
            (["BEGIN", "INSERT INTO t VALUES(1)", "ROLLBACK"], false),
            (["BEGIN", "SELECT * FROM t"], true), (["PRAGMA foreign_keys=ON"], true),
            (["CREATE TEMP TABLE x(a)"], false), (["nonsense"], false),
        ]
        for (sql, isKept) in rows {
            let database = try makeTable()
            let reply = try database.stream(nil, sql)
            XCTAssertEqual(reply.object["baton"] is String, isKept, "\(sql)")
            XCTAssertEqual(try database.statistic("open_streams"), isKept ? 1 : 0)
            guard isKept else { continue }
            XCTAssertTrue(try database.stream(reply.baton, ["close"]).object["baton"] is NSNull)
            XCTAssertEqual(try database.statistic("open_streams"), 0)
            XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["0"]])
        }
        let database = try makeTable()
        let stored = try database.pipeline(
            StreamRequests.body(nil, #"{"type":"store_sql","sql_id":1,"sql":"SELECT 'kept'"}"#))
        let used = try database.pipeline(
            StreamRequests.body(
                stored.baton, #"{"type":"execute","stmt":{"sql_id":1}},{"type":"close"}"#))
        XCTAssertEqual(SQLResult(used).rows, [["kept"]])
    }

    func testPullsAndPollsSeeATransactionWhenItCommits() throws {
        let database = try makeTable()
        let before = try database.pull()
        let client = try RawClient(port: server.http)
        let body = PullBody(clientRevision: before.revision, longPollMilliseconds: 30_000).bytes
        try client.send(RawClient.request("POST", "/db/\(database.name)/pull-updates", body: body))
        try wait(for: "the poll is held") { try database.statistic("long_polls") == 1 }
        var baton = try database.stream(nil, ["BEGIN", "INSERT INTO t VALUES(1)"]).baton
        baton = try database.stream(baton, ["INSERT INTO t VALUES(2)"]).baton
        XCTAssertEqual(try database.pull().revision, before.revision)
        XCTAssertEqual(try database.statistic("long_polls"), 1)
        _ = try database.stream(baton, ["COMMIT"])
        let pull = try PulledPages(try client.readReply(), file: #filePath, line: #line)
        XCTAssertNotEqual(pull.revision, before.revision)
        XCTAssertGreaterThan(pull.pages.count, 0)
    }

    /// Also checkpoints, settings and pushes of frames: all that writes.
    func testWritersWaitAndGetThrough() throws {
        let database = try makeTable()
        let baton = try database.stream(nil, ["BEGIN IMMEDIATE", "INSERT INTO t VALUES(1)"]).baton
        let writers = try (2...4).map { row in
            try database.sendPipeline(JSONText.execute("INSERT INTO t VALUES(\(row))"))
        }
        let checkpoint = try RawClient(port: server.admin)
        try checkpoint.send(
            RawClient.request(
                "POST", "/v1/namespaces/\(database.name)/checkpoint",
                body: Array(#"{"mode":"truncate"}"#.utf8)))
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["0"]])
        XCTAssertNil(SQLResult(try database.stream(baton, ["COMMIT"])).failure)
        for writer in writers { XCTAssertNil(SQLResult(try writer.readReply()).failure) }
        XCTAssertEqual(try checkpoint.readReply().object["busy"] as? Int, 0)
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["4"]])
    }

    // MARK: batons

    func testBatonsThatAreNotGood() throws {
        let (database, other) = (try makeTable(), try makeTable())
        let good = try database.stream(nil, ["BEGIN", "INSERT INTO t VALUES(1)"]).baton
        let used = good
        let live = try database.stream(good, ["INSERT INTO t VALUES(2)"]).baton
        let closed = try other.stream(nil, ["BEGIN"]).baton
        _ = try other.stream(closed, ["close"])
        let rows: [(String, String, TestDatabase)] = [
            ("nothing", "", database), ("a word", "abc", database),
            ("zeros", String(repeating: "0", count: 32), database),
            ("upper case", live.uppercased() == live ? "A" : live.uppercased(), database),
            ("cut off", String(live.dropLast()), database), ("longer", live + "0", database),
            ("NUL", live + "\u{0}", database), ("space", " " + live, database),
            ("not ASCII", "é🦊", database),
            ("a megabyte", String(repeating: "a", count: 1 << 20), database),
            ("used", used, database), ("another database's", live, other),
            ("closed", closed, other),
        ]
        for (label, baton, target) in rows {
            for sql in ["DELETE FROM t", "SELECT 1", "COMMIT"] {
                let reply = try target.pipeline(
                    StreamRequests.body(baton, StreamRequests.execute(sql)))
                assertFailure(reply, 400, "STREAM_EXPIRED", label)
            }
        }
        // What does not decode uses up nothing.
        for body in [#"{"baton":1,"requests":[]}"#, #"{"baton":"\#(live)","requests":[1]}"#] {
            assertFailure(try database.pipeline(body), 400, "malformed_pipeline")
        }
        XCTAssertEqual(try database.statistic("open_streams"), 1)
        _ = try database.stream(live, ["COMMIT"])
        XCTAssertEqual(try database.sql("SELECT id FROM t").rows, [["1"], ["2"]])
    }

    func testAStreamRunsOneRequestAtATime() throws {
        let database = try makeTable()
        let baton = try database.stream(nil, ["BEGIN", "INSERT INTO t VALUES(1)"]).baton
        // Sent at the same time: the one that comes second finds the stream busy.
        let slow = StreamRequests.body(
            baton, StreamRequests.execute("SELECT count(*) FROM generate_series(1, 20000000)"))
        let replies = try (0..<2).map { _ in try database.sendPipeline(slow) }
            .map { try $0.readReply() }.sorted { $0.status < $1.status }
        XCTAssertEqual(SQLResult(replies[0]).rows, [["20000000"]])
        assertFailure(replies[1], 409, "STREAM_BUSY")
        assertFailure(try database.stream(baton, ["SELECT 1"]), 400, "STREAM_EXPIRED")
        _ = try database.stream(replies[0].baton, ["COMMIT"])
        XCTAssertEqual(try database.sql("SELECT id FROM t").rows, [["1"]])
    }

    func testThereAreOnlySoManyStreams() throws {
        let database = try makeTable()
        let batons = try (0..<128).map { _ in try database.stream(nil, ["BEGIN"]).baton }
        XCTAssertEqual(Set(batons).count, 128)
        let reply = try database.stream(nil, ["BEGIN IMMEDIATE", "INSERT INTO t VALUES(1)"])
        assertFailure(reply, 503, "too_many_streams")
        XCTAssertNotNil(reply["retry-after"])
        try database.sql("INSERT INTO t VALUES(2)")
        XCTAssertEqual(try database.sql("SELECT id FROM t").rows, [["2"]])
        for baton in batons { _ = try database.stream(baton, ["close"]) }
        XCTAssertEqual(try database.statistic("open_streams"), 0)
    }

    // MARK: ends

    func testAClientThatGoesAwayKeepsItsStream() throws {
        let database = try makeTable()
        let client = try RawClient(port: server.http)
        try client.send(
            RawClient.request(
                "POST", "/db/\(database.name)/v2/pipeline",
                body: Array(StreamRequests.body(nil, StreamRequests.execute("BEGIN")).utf8)))
        let baton = try client.readReply().baton
        client.reset()
        XCTAssertEqual(try database.statistic("open_streams"), 1)
        XCTAssertTrue(try database.stream(baton, ["close"]).object["baton"] is NSNull)
    }

    func testDeletingTheDatabaseEndsItsStreamsAtOnce() throws {
        let database = try makeTable()
        let baton = try database.stream(nil, ["BEGIN", "INSERT INTO t VALUES(1)"]).baton
        let writer = try database.sendPipeline(JSONText.execute("INSERT INTO t VALUES(2)"))
        XCTAssertEqual(try database.admin("DELETE", "").status, 200)
        XCTAssertEqual(try writer.readReply().status, 404)
        assertFailure(try database.stream(baton, ["COMMIT"]), 404, "database_unknown")
        XCTAssertEqual(try database.admin("POST", "/create").status, 200)
        assertFailure(try database.stream(baton, ["COMMIT"]), 400, "STREAM_EXPIRED")
    }

    func testAKillLeavesNothingOfAnOpenTransaction() throws {
        let server = try RunningServer()
        defer { server.kill() }
        let database = server.database("default")
        try database.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        let revision = try database.pull().revision
        // Enough that SQLite writes some of it to the WAL before the COMMIT.
        let baton = try database.stream(
            nil, ["BEGIN", "INSERT INTO t(v) SELECT randomblob(4000) FROM generate_series(1,4000)"]
        ).baton
        let next = try server.restarted(isKilled: true)
        defer { next.kill() }
        let again = next.database("default")
        XCTAssertEqual(try again.sql("SELECT count(*) FROM t").rows, [["0"]])
        XCTAssertEqual(try again.pull().revision, revision)
        assertFailure(try again.stream(baton, ["COMMIT"]), 400, "STREAM_EXPIRED")
        XCTAssertEqual(next.stop(), 0)
        XCTAssertEqual(DatabaseCheck.problems(in: next.dataDirectory), [])
    }

    func testAStopEndsStreamsAtOnceAndLetsWritersFinish() throws {
        let server = try RunningServer(arguments: ["--stream-idle-timeout", "1h"])
        defer { server.kill() }
        let database = server.database("default")
        try database.sql("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        _ = try database.stream(nil, ["BEGIN", "INSERT INTO t VALUES(1)"])
        let before = try database.statistic("bytes_received")
        let writer = try database.sendPipeline(JSONText.execute("INSERT INTO t VALUES(2)"))
        try wait(for: "the writer has come") { try database.statistic("bytes_received") > before }
        let start = ContinuousClock.now
        XCTAssertEqual(server.stop(), 0, server.log)
        XCTAssertLessThan(ContinuousClock.now - start, .seconds(10))
        XCTAssertNil(SQLResult(try writer.readReply()).failure)
        let next = try RunningServer(folder: server.folder)
        XCTAssertEqual(try next.database("default").sql("SELECT id FROM t").rows, [["2"]])
        XCTAssertEqual(next.stop(), 0)
    }
}
