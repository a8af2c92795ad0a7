import XCTest

/// Times that streams have.
final class StreamTimeTests: ServerTestCase {
    override class var serverArguments: [String] {
        ["--stream-idle-timeout", "100ms", "--transaction-timeout", "400ms"]
    }

    /// A client that never got its answer cannot go on, so nobody does.
    func testAnAbandonedTransactionIsRolledBack() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        let before = try database.statistic("bytes_received")
        let lost = try database.sendPipeline(
            StreamRequests.body(
                nil,
                StreamRequests.execute("BEGIN IMMEDIATE") + ","
                    + StreamRequests.execute("INSERT INTO t VALUES(1)")))
        try wait(for: "it has come") { try database.statistic("bytes_received") > before }
        lost.reset()
        try database.sql("INSERT INTO t VALUES(2)")
        try wait(for: "its end") { try database.statistic("open_streams") == 0 }
        XCTAssertEqual(try database.sql("SELECT id FROM t").rows, [["2"]])
    }

    func testWhatAStreamThatWasIdleIsTold() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        for sql in [["BEGIN"], ["BEGIN", "INSERT INTO t VALUES(1)"], ["PRAGMA foreign_keys=ON"]] {
            let baton = try database.stream(nil, sql).baton
            try wait(for: "the end") { try database.statistic("open_streams") == 0 }
            let reply = try database.stream(baton, ["COMMIT"])
            assertFailure(reply, 400, "STREAM_EXPIRED")
            XCTAssertTrue(reply.text.contains("idle for longer than 0.1 seconds"), reply.text)
        }
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["0"]])
    }

    func testALongTransactionIsTold() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        var reply = try database.stream(nil, ["BEGIN", "INSERT INTO t VALUES(1)"])
        try wait(for: "the end") {
            reply = try database.stream(try reply.baton, ["SELECT 1"])
            return reply.status != 200
        }
        assertFailure(reply, 400, "STREAM_EXPIRED")
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["0"]])
    }
}
