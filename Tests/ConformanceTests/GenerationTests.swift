import XCTest

/// Generations that are asked to end, and that end; docs/protocol.md, "Generations".
final class GenerationTests: ServerTestCase {
    override class var serverArguments: [String] {
        [
            "--checkpoint-needed-pages", "10", "--generation-roll-pages", "30",
            "--generation-quiet-time", "0s",
        ]
    }

    private func assertInSync(_ client: FrameClient, line: UInt = #line) throws {
        XCTAssertEqual(
            client.image.differingPages(from: try client.database.export()), [], line: line)
        XCTAssertEqual(try client.image.integrity(), "ok", line: line)
    }

    private func makeClient(on server: RunningServer? = nil) throws -> FrameClient {
        let database = try server?.database("default") ?? makeDatabase()
        try database.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        return try FrameClient(database)
    }

    private func roll(_ database: TestDatabase, _ mode: String = "truncate") throws {
        let reply = try database.admin(
            "POST", "/checkpoint", body: Array(#"{"mode":"\#(mode)"}"#.utf8))
        XCTAssertEqual(reply.status, 200, reply.text)
        XCTAssertEqual(Set(reply.object.keys), ["busy", "log", "checkpointed"])
    }

    private let ten = "INSERT INTO t SELECT NULL, randomblob(3000) FROM generate_series(1, 10)"

    func testALongGenerationAsksOnceAndRemembers() throws {
        var server = try RunningServer(arguments: Self.serverArguments)
        defer { server.kill() }
        var client = try makeClient(on: server)
        try client.commit(ten)
        // A push that begins before the limit is not stopped.
        try client.push()
        let count = client.durableCount
        XCTAssertGreaterThanOrEqual(count, 10)
        try client.commit("INSERT INTO t(v) VALUES(1)")
        let end = client.frames.count
        let asked = try client.pushReply(count + 1..<end + 1)
        XCTAssertEqual(asked.status, 200)
        XCTAssertEqual(
            asked.text,
            #"{"status":"checkpoint_needed","generation":1,"max_frame_no":\#(count),"baton":null}"#
        )
        XCTAssertEqual(try server.database("default").sql("SELECT count(*) FROM t").rows, [["10"]])
        server = try server.restarted(isKilled: true, arguments: Self.serverArguments)
        client = FrameClient(copying: client, on: server.database("default"))
        try client.push()
        try assertInSync(client)
        // The next generation asks again.
        try roll(client.database)
        try client.pull()
        XCTAssertEqual(client.generation, 2)
        try client.commit(ten)
        try client.push()
        try client.commit("INSERT INTO t(v) VALUES(2)")
        let again = try client.pushReply(client.durableCount + 1..<client.frames.count + 1)
        XCTAssertEqual(again.object["status"] as? String, "checkpoint_needed")
        XCTAssertEqual(again.object["generation"] as? Int, 2)
        XCTAssertEqual(server.stop(), 0)
    }

    /// The client does not know the word and takes it for a batch that was not taken.
    func testTheWordStopsNoClient() throws {
        let client = try makeClient()
        for _ in 1...4 {
            try client.commit(ten)
            try client.push()
        }
        try assertInSync(client)
    }

    func testAQuietLongGenerationEndsWhenAClientHasAllOfIt() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        let client = try FrameClient(database)
        try database.sql("INSERT INTO t SELECT value, 'x' FROM generate_series(1, 10)")
        try client.pull()
        XCTAssertEqual(client.generation, 1)
        try database.sql("INSERT INTO t SELECT NULL, randomblob(3000) FROM generate_series(1, 50)")
        let frames = WireFrame.decode(try client.pullReply().body).count
        let last = client.durableCount + frames
        let reply = try client.pullReply(from: last + 1)
        XCTAssertEqual(reply.status, 400)
        XCTAssertEqual(
            reply.text,
            #"{"baton":null,"status":"checkpoint_needed","generation":2,"max_frame_no":0}"#)
        XCTAssertEqual(try FrameClient.info(database), 2)
        // It goes on, through both.
        try client.pull()
        XCTAssertEqual(client.generation, 2)
        try assertInSync(client)
        try client.commit("INSERT INTO t(v) VALUES('two')")
        try client.push()
        try assertInSync(client)
        XCTAssertEqual(
            try database.server.request("GET", "/db/\(database.name)/export/1").status, 410)
    }

    /// It could push behind them, so it must not be given others.
    func testTheFramesOfTheGenerationBeforeAreKeptWhateverTheQuota() throws {
        let server = try RunningServer(arguments: ["--history-quota", "0"])
        defer { server.kill() }
        let behind = try makeClient(on: server)
        let database = behind.database
        try database.sql(ten)
        try database.sql("UPDATE t SET v = randomblob(3000)")
        try behind.pull()
        let start = behind.durableCount + 1
        try database.sql("UPDATE t SET v = 1 WHERE id = 1")
        let frames = try behind.pullReply().body
        try roll(database)
        XCTAssertEqual(try behind.pullReply().body == frames, true)
        let late = FrameClient(copying: behind)
        try behind.pull()
        XCTAssertEqual(behind.generation, 2)
        // One that does not know of the roll writes what somebody else wrote, too.
        try late.pull(upToGeneration: 1)
        XCTAssertEqual(late.durableCount, start)
        try database.sql("UPDATE t SET v = 'kept' WHERE id = 2")
        try late.commit("UPDATE t SET v = 'late' WHERE id = 3")
        XCTAssertThrowsError(try late.push()) {
            XCTAssertEqual(
                $0 as? FrameClient.Failure,
                .conflict(start: start + 1, lastFrame: start + 1))
        }
        XCTAssertEqual(try database.sql("SELECT v FROM t WHERE id = 2").rows, [["kept"]])
        XCTAssertEqual(server.stop(), 0)
    }

    func testAnOldGenerationWithoutItsFramesEndsWithOneTransaction() throws {
        let server = try RunningServer(arguments: ["--history-quota", "0"])
        defer { server.kill() }
        let first = try makeClient(on: server)
        let database = first.database
        try database.sql(ten)
        try first.pull()
        let behind = FrameClient(copying: first)
        try database.sql("UPDATE t SET v = randomblob(3000) WHERE id < 5")
        try first.pull()
        try roll(database)
        try database.sql("DELETE FROM t WHERE id > 4")
        try database.sql("VACUUM")
        try roll(database)
        for client in [first, behind] {
            let start = client.durableCount + 1
            let reply = try client.pullReply(from: start - 1)
            let frames = WireFrame.decode(reply.body)
            XCTAssertEqual(reply.status, 200)
            XCTAssertEqual(reply["content-length"], "\(frames.count * WireFrame.size)")
            XCTAssertEqual(
                frames.indices.filter { frames[$0].databaseSize > 0 }, [frames.count - 1])
            try client.pull()
            XCTAssertEqual(client.generation, 3)
            try assertInSync(client)
        }
        // It ends where its clients are told to go on.
        let end = try server.request("GET", "/sync/1/4000/4128")
        XCTAssertEqual(
            end.text,
            #"{"baton":null,"status":"checkpoint_needed","generation":3,"max_frame_no":0}"#)
        XCTAssertEqual(server.stop(), 0)
    }

    func testAGenerationDoesNotEndByItselfRightAfterTheStartOrAPush() throws {
        let server = try RunningServer(arguments: ["--generation-roll-pages", "5"])
        defer { server.kill() }
        let client = try makeClient(on: server)
        try client.commit(ten)
        try client.push()
        XCTAssertEqual(try client.pullReply().object["generation"] as? Int, 1)
        XCTAssertEqual(try FrameClient.info(client.database), 1)
        XCTAssertEqual(server.stop(), 0)
    }

    func testAnOperatorEndsAGenerationThatHasFrames() throws {
        let client = try makeClient()
        let database = client.database
        for mode in ["passive", "full", "restart", "truncate"] { try roll(database, mode) }
        XCTAssertEqual(try FrameClient.info(database), 1, "there was nothing to end")
        try client.commit("INSERT INTO t(v) VALUES('one')")
        try client.push()
        for mode in ["passive", "full"] { try roll(database, mode) }
        XCTAssertEqual(try FrameClient.info(database), 1)
        try roll(database, "truncate")
        XCTAssertEqual(try FrameClient.info(database), 2)
        try database.sql("INSERT INTO t(v) VALUES('two')")
        try roll(database, "restart")
        try database.sql("INSERT INTO t(v) VALUES('three')")
        // One who missed both goes through them, step by step; a new one begins in the third.
        let fresh = try FrameClient(database)
        XCTAssertEqual(fresh.generation, 3)
        for other in [client, fresh] {
            try other.pull()
            XCTAssertEqual(other.generation, 3)
            try assertInSync(other)
        }
        let old = try server.request(
            "POST", "/db/\(database.name)/sync/1/1/2", body: WireFrame.encode([fresh.frames[0]]))
        XCTAssertEqual(
            old.text, #"{"status":"conflict","generation":1,"max_frame_no":0,"baton":null}"#)
        // SQL's pragma is no operator.
        try database.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        XCTAssertEqual(try FrameClient.info(database), 3)
    }
}
