import XCTest

/// Pulls that wait; docs/protocol.md, "Long poll".
final class LongPollTests: ServerTestCase {
    override class var serverArguments: [String] { ["--long-poll-max", "2s"] }

    /// Sends a pull that waits, and returns when the server holds it.
    private func startPoll(
        _ database: TestDatabase, revision: String, milliseconds: UInt32 = 60_000
    ) throws -> RawClient {
        let before = try database.statistic("long_polls")
        let client = try RawClient(port: server.http)
        let body = PullBody(clientRevision: revision, longPollMilliseconds: milliseconds)
        try client.send(
            RawClient.request("POST", "/db/\(database.name)/pull-updates", body: body.bytes))
        try wait(for: "the poll is held") { try database.statistic("long_polls") > before }
        return client
    }

    func testACommitWakesEveryPollOfItsDatabase() throws {
        let (database, other) = (try makeDatabase("CREATE TABLE t(x)"), try makeDatabase())
        let revision = try database.pull().revision
        let clients = try (0..<5).map { _ in try startPoll(database, revision: revision) }
        let bystander = try startPoll(other, revision: try other.pull().revision)
        try database.sql("INSERT INTO t VALUES(1)")
        for client in clients {
            let pull = try PulledPages(try client.readReply(), file: #filePath, line: #line)
            XCTAssertNotEqual(pull.revision, revision)
            XCTAssertGreaterThan(pull.pages.count, 0)
        }
        XCTAssertEqual(try database.statistic("long_polls"), 0)
        XCTAssertEqual(try other.statistic("long_polls"), 1)
        bystander.close()
    }

    func testReadsAndFailedWritesWakeNobody() throws {
        let database = try makeDatabase("CREATE TABLE t(x UNIQUE)", "INSERT INTO t VALUES(1)")
        let client = try startPoll(database, revision: try database.pull().revision)
        try database.sql("SELECT * FROM t")
        XCTAssertNotNil(try database.failure(of: "INSERT INTO t VALUES(1)"))
        try database.sql("DELETE FROM t WHERE x = 2")
        XCTAssertEqual(try database.statistic("long_polls"), 1)
        try database.sql("INSERT INTO t VALUES(2)")
        XCTAssertGreaterThan(
            try PulledPages(try client.readReply(), file: #filePath, line: #line).pages.count, 0)
    }

    func testAPollThatEndsInVainGetsTheSameRevision() throws {
        let database = try makeDatabase()
        let revision = try database.pull().revision
        let rows: [(asked: UInt32, expected: ClosedRange<Int64>)] = [
            (100, 100...1500),
            // Cut to what the server is configured to hold.
            (.max, 2000...15_000),
        ]
        for (milliseconds, expected) in rows {
            let start = ContinuousClock.now
            let pull = try database.pull(
                PullBody(clientRevision: revision, longPollMilliseconds: milliseconds))
            let elapsed = (ContinuousClock.now - start) / .milliseconds(1)
            XCTAssertTrue(expected.contains(Int64(elapsed)), "\(elapsed) ms")
            XCTAssertEqual(pull.revision, revision)
            XCTAssertEqual(pull.ids, [])
        }
    }

    func testAPollWithSomethingNewDoesNotWait() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        let revision = try database.pull().revision
        try database.sql("INSERT INTO t VALUES(1)")
        let start = ContinuousClock.now
        for body in [
            PullBody(clientRevision: revision, longPollMilliseconds: 60_000),
            PullBody(longPollMilliseconds: 60_000),
            PullBody(clientRevision: "unknown", longPollMilliseconds: 60_000),
        ] {
            XCTAssertGreaterThan(try database.pull(body).pages.count, 0)
        }
        XCTAssertLessThan(ContinuousClock.now - start, .milliseconds(1900))
    }

    func testAClientThatGoesAwayIsForgotten() throws {
        let database = try makeDatabase()
        let revision = try database.pull().revision
        for ending in [RawClient.close, RawClient.reset] {
            let client = try startPoll(database, revision: revision)
            ending(client)()
            // Well before its time is over.
            let start = ContinuousClock.now
            try wait(for: "the poll is over") { try database.statistic("long_polls") == 0 }
            XCTAssertLessThan(ContinuousClock.now - start, .milliseconds(1900))
        }
    }

    func testDeletingADatabaseEndsItsPolls() throws {
        let database = try makeDatabase()
        let client = try startPoll(database, revision: try database.pull().revision)
        XCTAssertEqual(try database.admin("DELETE", "").status, 200)
        assertFailure(try client.readReply(), 404, "database_unknown")
    }

    func testAConnectionServesOnAfterAPoll() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        let client = try startPoll(database, revision: try database.pull().revision)
        // Sent while the poll is held: it waits for its turn.
        try client.send(RawClient.request("GET", "/health"))
        try database.sql("INSERT INTO t VALUES(1)")
        XCTAssertGreaterThan(
            try PulledPages(try client.readReply(), file: #filePath, line: #line).pages.count, 0)
        XCTAssertEqual(try client.readReply().text, #"{"status":"ok"}"#)
    }
}
