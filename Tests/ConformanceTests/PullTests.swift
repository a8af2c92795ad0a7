import Codecs
import Foundation
import XCTest

/// What a pull is answered with; docs/protocol.md, "Pull". The checks that hold for every answer
/// (header first, pages ascending, chunked, raw) are in `PulledPages`.
final class PullTests: ServerTestCase {
    /// So that states move into the main file while they are pulled.
    override class var serverArguments: [String] { ["--min-checkpoint-page-count", "5"] }

    /// About 60 pages.
    private func makeFilledDatabase() throws -> TestDatabase {
        try makeDatabase(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
            "INSERT INTO t SELECT value, zeroblob(1000) FROM generate_series(1, 200)")
    }

    private func assertSameAsExport(
        _ replica: DatabaseImage, _ database: TestDatabase, file: StaticString = #filePath,
        line: UInt = #line
    ) throws {
        XCTAssertEqual(
            replica.differingPages(from: try database.export()), [], file: file, line: line)
        XCTAssertEqual(try replica.integrity(), "ok", file: file, line: line)
    }

    func testAnEmptyBodyGetsEveryPage() throws {
        let database = try makeFilledDatabase()
        let pull = try database.pull()
        XCTAssertEqual(pull.ids, Array(0..<pull.databaseSize))
        var replica = DatabaseImage()
        replica.apply(pull)
        try assertSameAsExport(replica, database)
        XCTAssertEqual(try replica.text("SELECT count(*) FROM t"), "200")
    }

    func testAnEmptyDatabaseIsOneRealPage() throws {
        let pull = try makeDatabase().pull()
        XCTAssertEqual(pull.databaseSize, 1)
        XCTAssertEqual(pull.ids, [0])
        var replica = DatabaseImage()
        replica.apply(pull)
        XCTAssertEqual(try replica.integrity(), "ok")
        XCTAssertEqual(try replica.text("PRAGMA encoding"), "UTF-8")
    }

    func testASelectorChoosesPages() throws {
        let database = try makeFilledDatabase()
        let size = UInt32(try database.pull().databaseSize)
        let rows: [(selector: [UInt32], expected: [UInt32])] = [
            (Array(0..<10), Array(0..<10)),
            ([0, 7, 9], [0, 7, 9]),
            // Page 0 comes at first contact, selected or not: without it clients die.
            ([5, 6], [0, 5, 6]),
            ([], [0]),
            ([size - 1], [0, size - 1]),
            ([1, size, size + 1, 70_000, .max], [0, 1]),
            ([size, .max], [0]),
        ]
        for (selector, expected) in rows {
            let pull = try database.pull(PullBody(selector: selector))
            XCTAssertEqual(pull.ids, expected.map(Int.init), "\(selector)")
            XCTAssertEqual(pull.databaseSize, Int(size))
        }
    }

    /// A few bytes that select four billion pages.
    func testASelectorOfEverythingCostsNoMoreThanTheDatabase() throws {
        let database = try makeFilledDatabase()
        var selector: [UInt8] = [0x3B, 0x30, 0xFF, 0xFF]
        selector += [UInt8](repeating: 0xFF, count: 8192)
        for key in 0..<0x10000 {
            selector += [UInt8(key & 0xFF), UInt8(key >> 8), 0xFF, 0xFF]
        }
        let dataStart = selector.count + 4 * 0x10000
        for key in 0..<0x10000 {
            let offset = UInt32(dataStart + 6 * key)
            selector += (0..<4).map { UInt8(truncatingIfNeeded: offset >> (8 * $0)) }
        }
        for _ in 0..<0x10000 { selector += [1, 0, 0, 0, 0xFF, 0xFF] }
        let pull = try database.pull(PullBody(rawSelector: selector))
        XCTAssertEqual(pull.ids, Array(0..<pull.databaseSize))
    }

    func testASelectorWithTheNewestRevisionGetsJustThosePages() throws {
        let database = try makeFilledDatabase()
        let first = try database.pull()
        for selector: [UInt32] in [[3, 4, 5], [1], [60_000]] {
            let pull = try database.pull(
                PullBody(serverRevision: first.revision, selector: selector))
            XCTAssertEqual(pull.revision, first.revision)
            XCTAssertEqual(pull.ids, selector.map(Int.init).filter { $0 < first.databaseSize })
        }
    }

    /// Clients download ranges at the revision of the first answer while others write.
    func testAChunkedBootstrapIsPinnedToItsFirstRevision() throws {
        let database = try makeFilledDatabase()
        let before = try database.export()
        var replica = DatabaseImage()
        let first = try database.pull(PullBody(selector: Array(0..<16)))
        replica.apply(first)
        var start = UInt32(16)
        var round = 0
        while start < UInt32(first.databaseSize) {
            round += 1
            try database.sql("UPDATE t SET v = randomblob(1000 + \(round))")
            try database.sql(
                "INSERT INTO t SELECT value, zeroblob(900) FROM generate_series(1000 * \(round), "
                    + "1000 * \(round) + 20)")
            let pull = try database.pull(
                PullBody(serverRevision: first.revision, selector: Array(start..<start + 16)))
            XCTAssertEqual(pull.revision, first.revision)
            XCTAssertEqual(pull.databaseSize, first.databaseSize)
            XCTAssertEqual(
                pull.ids, Array(Int(start)..<min(Int(start) + 16, first.databaseSize)))
            replica.apply(pull)
            start += 16
        }
        XCTAssertGreaterThan(round, 2)
        // Proof that checkpoints overwrote the pages of that state meanwhile.
        XCTAssertGreaterThan(try database.statistic("history_bytes"), 0)
        XCTAssertEqual(replica.differingPages(from: before), [])
        XCTAssertEqual(try replica.integrity(), "ok")

        replica.apply(try database.pull(PullBody(clientRevision: replica.revision)))
        try assertSameAsExport(replica, database)
    }

    func testAQueryBootstrapHoldsWhatTheQueryNeeds() throws {
        let database = try makeFilledDatabase()
        let pull = try database.pull(PullBody(query: "SELECT * FROM t WHERE id = 100"))
        var replica = DatabaseImage()
        replica.apply(pull)
        XCTAssertTrue(pull.ids.contains(0))
        XCTAssertEqual(try replica.text("SELECT length(v) FROM t WHERE id = 100"), "1000")
    }

    func testNothingNewIsAHeaderOnly() throws {
        let database = try makeFilledDatabase()
        let first = try database.pull()
        let again = try database.pull(PullBody(clientRevision: first.revision))
        XCTAssertEqual(again.revision, first.revision)
        XCTAssertEqual(again.databaseSize, first.databaseSize)
        XCTAssertEqual(again.ids, [])
    }

    func testReadingAndChangingNothingMakesNoRevision() throws {
        let database = try makeFilledDatabase()
        let revision = try database.pull().revision
        try database.sql("SELECT count(*) FROM t")
        try database.sql("UPDATE t SET v = 1 WHERE id < 0")
        try database.sql("CREATE TABLE IF NOT EXISTS t(x)")
        XCTAssertEqual(try database.pull(PullBody(clientRevision: revision)).revision, revision)
    }

    func testAnIncrementIsWhatChangedSince() throws {
        let database = try makeFilledDatabase()
        var replica = DatabaseImage()
        replica.apply(try database.pull())
        let statements = [
            "UPDATE t SET v = 'x' WHERE id = 100",
            "INSERT INTO t VALUES(1000, randomblob(20000))",
            "DELETE FROM t WHERE id % 2",
            "CREATE TABLE other(a, b); CREATE INDEX other_a ON other(a)",
            "DROP TABLE t",
        ]
        for statement in statements {
            for part in statement.split(separator: ";") { try database.sql(String(part)) }
            let pull = try database.pull(PullBody(clientRevision: replica.revision))
            XCTAssertNotEqual(pull.revision, replica.revision)
            XCTAssertGreaterThan(pull.pages.count, 0, statement)
            XCTAssertLessThan(pull.pages.count, pull.databaseSize + 1, statement)
            replica.apply(pull)
            try assertSameAsExport(replica, database)
        }
    }

    func testASmallChangeIsASmallIncrement() throws {
        let database = try makeFilledDatabase()
        let first = try database.pull()
        try database.sql("UPDATE t SET v = 'x' WHERE id = 100")
        let pull = try database.pull(PullBody(clientRevision: first.revision))
        XCTAssertLessThanOrEqual(pull.pages.count, 4)
    }

    func testAnIncrementSpansManyCommitsAndCheckpoints() throws {
        let database = try makeFilledDatabase()
        var replica = DatabaseImage()
        replica.apply(try database.pull())
        for id in 1...40 { try database.sql("UPDATE t SET v = randomblob(900) WHERE id = \(id)") }
        let pull = try database.pull(PullBody(clientRevision: replica.revision))
        XCTAssertLessThan(pull.pages.count, 30)
        replica.apply(pull)
        try assertSameAsExport(replica, database)
    }

    func testAShrunkDatabaseIsTruncated() throws {
        let database = try makeFilledDatabase()
        var replica = DatabaseImage()
        let first = try database.pull()
        replica.apply(first)
        try database.sql("DELETE FROM t WHERE id > 10")
        try database.sql("VACUUM")
        let pull = try database.pull(PullBody(clientRevision: first.revision))
        XCTAssertLessThan(pull.databaseSize, first.databaseSize)
        replica.apply(pull)
        try assertSameAsExport(replica, database)
        XCTAssertEqual(try replica.text("SELECT count(*) FROM t"), "10")
    }

    func testContentCodings() throws {
        let database = try makeFilledDatabase()
        let plain = try database.pull()
        for accepted in ["application/protobuf", "br", "*", "zstd;q=0", "identity", "*;q=0"] {
            let reply = try database.pullReply(fields: ["Accept-Encoding: \(accepted)"])
            let pull = try PulledPages(reply, file: #filePath, line: #line)
            XCTAssertEqual(pull.ids, plain.ids, accepted)
        }
        XCTAssertEqual(
            try PulledPages(
                try database.pullReply(fields: []), file: #filePath, line: #line
            ).ids, plain.ids)
    }

    func testARequestMayBeCompressed() throws {
        let database = try makeFilledDatabase()
        let body = try ZstdEncoder.compress(PullBody(selector: [3]).bytes)
        let reply = try server.request(
            "POST", "/db/\(database.name)/pull-updates", ["Content-Encoding: zstd"], body: body)
        XCTAssertEqual(try PulledPages(reply, file: #filePath, line: #line).ids, [0, 3])
    }

    func testARequestMayBeChunked() throws {
        let database = try makeFilledDatabase()
        let client = try RawClient(port: server.http)
        try client.send(
            "POST /db/\(database.name)/pull-updates HTTP/1.1\r\nHost: a\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n")
        for byte in PullBody(selector: [3]).bytes { try client.send([0x31, 13, 10, byte, 13, 10]) }
        try client.send("0\r\n\r\n")
        let reply = try client.readReply()
        XCTAssertEqual(try PulledPages(reply, file: #filePath, line: #line).ids, [0, 3])
    }

    func testManyPullsShareAConnection() throws {
        let database = try makeFilledDatabase()
        let client = try RawClient(port: server.http)
        let request = RawClient.request(
            "POST", "/db/\(database.name)/pull-updates", body: PullBody(selector: [1]).bytes)
        // One after another, then all at once.
        for _ in 0..<3 {
            try client.send(request)
            XCTAssertEqual(
                try PulledPages(try client.readReply(), file: #filePath, line: #line).ids, [0, 1])
        }
        try client.send(request + request + request)
        for _ in 0..<3 {
            XCTAssertEqual(
                try PulledPages(try client.readReply(), file: #filePath, line: #line).ids, [0, 1])
        }
    }

    /// The client must see that the answer is not whole, however it was cut.
    func testAnAbortedAnswerHasNoFinalChunk() throws {
        let database = try makeDatabase(
            "CREATE TABLE t(v)",
            "INSERT INTO t SELECT randomblob(4000) FROM generate_series(1, 6000)")
        let client = try RawClient(port: server.http, receiveBuffer: 8192)
        try client.send(
            RawClient.request("POST", "/db/\(database.name)/pull-updates", body: []))
        var reply = try client.readHead()
        XCTAssertEqual(reply.status, 200)
        XCTAssertEqual(try database.admin("DELETE", "").status, 200)
        try client.readBody(of: &reply)
        XCTAssertFalse(reply.isComplete)
    }
}
