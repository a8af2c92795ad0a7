import XCTest

/// What is kept for pushes whose transaction is not complete; docs/protocol.md, "Frame sync".
final class FrameStagingLimitTests: ServerTestCase {
    /// Room for 254 frames, which is not quite two batches.
    override class var serverArguments: [String] { ["--frame-staging-size", "1MiB"] }

    private func makeClient() throws -> FrameClient {
        try FrameClient(try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)"))
    }

    private func insert(_ count: Int) -> String {
        "INSERT INTO t SELECT NULL, randomblob(3000) FROM generate_series(1, \(count))"
    }

    func testATransactionThatIsTooLargeIsRefusedAndLeavesNothing() throws {
        let client = try makeClient()
        let before = FrameClient(copying: client)
        try client.commit(insert(300))
        XCTAssertGreaterThan(client.frames.count, 256)
        let one = try client.pushReply(1..<129)
        let baton = try XCTUnwrap(one.object["baton"] as? String)
        assertFailure(
            try client.pushReply(129..<257, baton: baton), 413, "transaction_too_large")
        XCTAssertEqual(
            try client.pushReply(129..<130, baton: baton).text,
            #"{"status":"ok","generation":1,"max_frame_no":0,"baton":null}"#, "it is forgotten")
        XCTAssertEqual(try client.database.sql("SELECT count(*) FROM t").rows, [["0"]])
        // One that needs no more room than there is, twice.
        for _ in 1...2 {
            try before.commit(insert(200))
            XCTAssertGreaterThan(try before.push(), 128)
        }
        XCTAssertEqual(before.image.differingPages(from: try before.database.export()), [])
    }

    func testPushesShareTheRoomAndWaitForEachOther() throws {
        let (one, two) = (try makeClient(), try makeClient())
        for client in [one, two] { try client.commit(insert(200)) }
        let first = try one.pushReply(1..<129)
        let baton = try XCTUnwrap(first.object["baton"] as? String)
        let full = try two.pushReply(1..<129)
        assertFailure(full, 503, "staging_full")
        XCTAssertEqual(full["retry-after"], "1")
        // What is complete needs no room.
        let small = try makeClient()
        try small.commit(insert(2))
        try small.push()
        let end = one.frames.count + 1
        let rest = try one.pushReply(129..<end, baton: baton)
        XCTAssertEqual(rest.object["max_frame_no"] as? Int, end - 1, rest.text)
        try two.push()
        XCTAssertEqual(two.image.differingPages(from: try two.database.export()), [])
    }

    func testNothingIsStagedBehindARestart() throws {
        var server = try RunningServer()
        defer { server.kill() }
        try server.database("default").sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        var client = try FrameClient(server.database("default"))
        try client.commit(insert(200))
        let one = try client.pushReply(1..<129)
        let baton = try XCTUnwrap(one.object["baton"] as? String)
        server = try server.restarted()
        client = FrameClient(copying: client, on: server.database("default"))
        XCTAssertEqual(
            try client.pushReply(129..<client.frames.count + 1, baton: baton).text,
            #"{"status":"ok","generation":1,"max_frame_no":0,"baton":null}"#)
        try client.push()
        XCTAssertEqual(client.image.differingPages(from: try client.database.export()), [])
        XCTAssertEqual(server.stop(), 0)
    }

    /// A client counts as pushed what was only staged, also when the server forgot it.
    func testNobodyGoesOnBehindFramesThatWereStagedBeforeARestart() throws {
        for isKilled in [false, true] {
            var server = try RunningServer()
            defer { server.kill() }
            try server.database("default").sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
            var client = try FrameClient(server.database("default"))
            try client.commit(insert(200))
            XCTAssertNotNil(try client.pushReply(1..<2).object["baton"] as? String)
            server = try server.restarted(isKilled: isKilled)
            let database = server.database("default")
            client = FrameClient(copying: client, on: database)
            // Somebody else's commit takes just the number of the staged frame.
            try database.sql("INSERT INTO t(v) VALUES('kept')")
            let other = try FrameClient(database)
            try other.pull()
            XCTAssertEqual(other.durableCount, 1)
            XCTAssertEqual(
                try client.pushReply(2..<client.frames.count + 1).text,
                #"{"status":"ok","generation":1,"max_frame_no":0,"baton":null}"#)
            XCTAssertEqual(
                try client.pushReply(1..<client.frames.count + 1).text,
                #"{"status":"conflict","generation":1,"max_frame_no":1,"baton":null}"#)
            // One that has the frame is asked once, and gets through.
            try other.commit("INSERT INTO t(v) VALUES('more')")
            try other.push()
            XCTAssertEqual(try database.sql("SELECT v FROM t").rows, [["kept"], ["more"]])
            XCTAssertEqual(server.stop(), 0)
        }
    }
}
