import Primitives
import XCTest

/// Clients that bootstrap with a part of the pages; docs/protocol.md, "Partial replicas".
final class PartialReplicaTests: ServerTestCase {
    /// So that states move into the main file while they are pinned.
    override class var serverArguments: [String] { ["--min-checkpoint-page-count", "5"] }

    /// About 60 pages.
    private func makeFilledDatabase() throws -> TestDatabase {
        try makeDatabase(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
            "INSERT INTO t SELECT value, randomblob(1000) FROM generate_series(1, 200)")
    }

    private func changeEverything(_ database: TestDatabase) throws {
        try database.sql("UPDATE t SET v = randomblob(1000)")
        try database.sql("INSERT INTO t(v) SELECT randomblob(900) FROM generate_series(1, 20)")
    }

    private struct Pin: Decodable, Equatable {
        let id: String
        let base: UInt64
        let position: UInt64
    }

    private func pins(_ database: TestDatabase) throws -> [Pin] {
        struct Answer: Decodable { let pins: [Pin] }
        let reply = try database.admin("GET", "/pins")
        XCTAssertEqual(reply.status, 200, reply.text)
        return try JSONDecoder().decode(Answer.self, from: Data(reply.body)).pins
    }

    /// All pages, as a lazy read of a replica gives them.
    private func lazyPages(_ database: TestDatabase, _ base: PulledPages) throws -> PulledPages {
        try database.pull(
            PullBody(
                serverRevision: base.revision, selector: Array(0..<UInt32(base.databaseSize + 5))))
    }

    private func assertPages(
        _ lazy: PulledPages, are image: PulledPages, of base: PulledPages, _ message: String,
        line: UInt = #line
    ) {
        XCTAssertEqual(lazy.revision, base.revision, message, line: line)
        XCTAssertEqual(lazy.databaseSize, base.databaseSize, message, line: line)
        // The first page is the client's own by now.
        XCTAssertEqual(lazy.ids, Array(1..<base.databaseSize), message, line: line)
        for (page, expected) in zip(lazy.pages, image.pages.dropFirst()) {
            XCTAssertEqual(
                page.bytes == expected.bytes, true, "\(message), page \(page.id)", line: line)
        }
    }

    func testMissingPagesAreAsOfTheBaseThroughCommitsVacuumAndRestarts() throws {
        let server = try RunningServer(arguments: Self.serverArguments)
        let name = "partial"
        XCTAssertEqual(try server.database(name).admin("POST", "/create").status, 200)
        try server.database(name).sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        try server.database(name).sql(
            "INSERT INTO t SELECT value, randomblob(1000) FROM generate_series(1, 200)")
        let all = try server.database(name).pull()
        let base = try server.database(name).pull(PullBody(selector: [0, 1, 2]))
        XCTAssertEqual(base.ids, [0, 1, 2])
        XCTAssertNil(Revision(wire: all.revision)?.replica)
        XCTAssertNotNil(Revision(wire: base.revision)?.replica)
        var current = server
        for (isKilled, message) in [(false, "a restart"), (true, "a kill")] {
            try changeEverything(current.database(name))
            try current.database(name).sql("DELETE FROM t WHERE id > 50")
            try current.database(name).sql("VACUUM")
            assertPages(
                try lazyPages(current.database(name), base), are: all, of: base, "before \(message)"
            )
            try changeEverything(current.database(name))
            current = try current.restarted(isKilled: isKilled, arguments: Self.serverArguments)
            assertPages(
                try lazyPages(current.database(name), base), are: all, of: base, "after \(message)")
        }
        current.stop()
    }

    func testAfterAPullMissingPagesAreAsOfIt() throws {
        let database = try makeFilledDatabase()
        let base = try database.pull(PullBody(selector: [0]))
        try changeEverything(database)
        let replica = Revision(wire: base.revision)?.replica
        let pulled = try database.pull(PullBody(clientRevision: base.revision))
        XCTAssertEqual(Revision(wire: pulled.revision)?.replica, replica, "it keeps its name")
        let all = try database.pull()
        try changeEverything(database)
        assertPages(try lazyPages(database, base), are: all, of: base, "sent")
        // The client names what it has: this one.
        _ = try database.pull(PullBody(clientRevision: pulled.revision))
        let newest = try database.pull()
        assertPages(try lazyPages(database, base), are: newest, of: base, "sent again")
        // That answer did not reach it.
        try changeEverything(database)
        XCTAssertEqual(try pins(database).count, 1)
        let unchanged = try database.pull(PullBody(clientRevision: newest.revision))
        XCTAssertNil(Revision(wire: unchanged.revision)?.replica, "a full replica has no name")
    }

    func testADroppedReplicaIsRefusedMissingPagesAndItsPullBringsEverything() throws {
        let database = try makeFilledDatabase()
        let base = try database.pull(PullBody(selector: [0, 1]))
        try changeEverything(database)
        let id = try XCTUnwrap(Revision(wire: base.revision)?.replica).hexadecimal
        XCTAssertEqual(try pins(database).map(\.id), [id])
        XCTAssertGreaterThan(try database.statistic("history_bytes"), 100_000)
        XCTAssertEqual(try database.admin("DELETE", "/pins/\(id)").status, 200)
        assertFailure(try database.admin("DELETE", "/pins/\(id)"), 404, "pin_unknown")
        for wrong in ["x", "-1", "12345678901234567", "1/2"] {
            XCTAssertEqual(try database.admin("DELETE", "/pins/\(wrong)").status, 404, wrong)
        }
        XCTAssertEqual(try pins(database), [])
        XCTAssertLessThan(try database.statistic("history_bytes"), 100)
        let lazy = PullBody(serverRevision: base.revision, selector: [1])
        assertFailure(try database.pullReply(lazy), 410, "revision_gone")
        let healed = try database.pull(PullBody(clientRevision: base.revision))
        XCTAssertEqual(healed.ids, Array(0..<healed.databaseSize))
        XCTAssertNil(Revision(wire: healed.revision)?.replica)
        let unchanged = try database.pull(PullBody(clientRevision: healed.revision))
        XCTAssertEqual(unchanged.ids, [])
        XCTAssertEqual(unchanged.revision, healed.revision)
    }

    /// A lie about the base must not give pages of another state under its name.
    func testABaseThatIsNotTheReplicasIsRefused() throws {
        let database = try makeFilledDatabase()
        let base = try XCTUnwrap(
            Revision(wire: try database.pull(PullBody(selector: [0])).revision))
        try changeEverything(database)
        let other = try XCTUnwrap(
            Revision(wire: try database.pull(PullBody(selector: [0])).revision))
        for wrong in [
            other.carrying(replica: base.replica), base.carrying(replica: other.replica),
            base.carrying(replica: ReplicaID(1)),
        ] {
            let body = PullBody(serverRevision: wrong.wire, selector: [0])
            assertFailure(try database.pullReply(body), 410, "revision_gone")
        }
    }

    func testABootstrapInSeveralRequestsIsOneStateAndKeepsNoPin() throws {
        let database = try makeFilledDatabase()
        let all = try database.pull()
        let size = UInt32(all.databaseSize)
        var parts = [try database.pull(PullBody(selector: Array(0..<20)))]
        let base = parts[0]
        for start in stride(from: 20, to: size, by: 20) {
            try changeEverything(database)
            parts.append(
                try database.pull(
                    PullBody(
                        serverRevision: base.revision,
                        selector: Array(start..<min(start + 20, size)))))
        }
        let pages = parts.flatMap(\.pages)
        XCTAssertEqual(pages.map(\.id), all.ids)
        XCTAssertEqual(zip(pages, all.pages).allSatisfy { $0.bytes == $1.bytes }, true)
        XCTAssertEqual(try pins(database).count, 1)
        let pulled = try database.pull(PullBody(clientRevision: base.revision))
        XCTAssertFalse(pulled.ids.isEmpty)
        XCTAssertEqual(try pins(database), [])
        // It says that it misses a page after all: refused, and then given all.
        let lazy = PullBody(serverRevision: base.revision, selector: [3])
        assertFailure(try database.pullReply(lazy), 410, "revision_gone")
        let healed = try database.pull(PullBody(clientRevision: pulled.revision))
        XCTAssertEqual(healed.ids, Array(0..<healed.databaseSize))
        XCTAssertNil(Revision(wire: healed.revision)?.replica)
    }

    /// Clients keep tables of their own; after a checkpoint the schema with these is in the first
    /// page, and they write over it whatever comes.
    func testTheFirstPageComesOnlyIfNothingElseIsAskedFor() throws {
        let database = try makeFilledDatabase()
        let base = try database.pull(PullBody(selector: [0]))
        for (selector, ids) in [
            ([0], [0]), ([0, 1, 2], [1, 2]), ([0, 7], [7]), ([0, 1 << 20], [0]), ([1, 2], [1, 2]),
        ] as [([UInt32], [Int])] {
            let lazy = try database.pull(
                PullBody(serverRevision: base.revision, selector: selector))
            XCTAssertEqual(lazy.ids, ids)
        }
    }

    /// A partial replica that happens to read every page may have lost an answer.
    func testReadingEveryPageDoesNotMakeAReplicaFull() throws {
        let database = try makeFilledDatabase()
        let all = try database.pull()
        let base = try database.pull(PullBody(selector: Array(0..<16)))
        for start in stride(from: 16, to: UInt32(all.databaseSize), by: 16) {
            // A list, as the clients write what they miss.
            var list: [UInt8] = [0x3A, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 15, 0, 16, 0, 0, 0]
            for id in start..<start + 16 { list += [UInt8(id & 0xFF), UInt8(id >> 8)] }
            _ = try database.pull(PullBody(serverRevision: base.revision, rawSelector: list))
        }
        _ = try database.pull(PullBody(clientRevision: base.revision))
        XCTAssertEqual(try pins(database).count, 1)
        try changeEverything(database)
        assertPages(try lazyPages(database, base), are: all, of: base, "read again")
    }

    func testNothingNewKeepsTheReplicasRevision() throws {
        let database = try makeFilledDatabase()
        let base = try database.pull(PullBody(selector: [0]))
        for _ in 0..<2 {
            let unchanged = try database.pull(PullBody(clientRevision: base.revision))
            XCTAssertEqual(unchanged.revision, base.revision)
            XCTAssertEqual(unchanged.ids, [])
        }
        XCTAssertEqual(try pins(database).count, 1)
    }
}
