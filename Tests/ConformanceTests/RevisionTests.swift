import Primitives
import XCTest

/// What a pull gets for the revision that it carries; docs/protocol.md, "Pull".
final class RevisionTests: ServerTestCase {
    /// The parts of a revision, to make others that this server never gave out.
    private func altered(
        _ wire: String, databaseID: DatabaseID? = nil, epoch: Epoch? = nil, commit: UInt64? = nil
    ) throws -> String {
        let revision = try XCTUnwrap(Revision(wire: wire))
        return Revision(
            databaseID: databaseID ?? revision.databaseID, epoch: epoch ?? revision.epoch,
            commit: commit.map(CommitNumber.init) ?? revision.commit
        ).wire
    }

    func testAnUnknownClientRevisionGetsEveryPage() throws {
        let database = try makeDatabase("CREATE TABLE t(x)", "INSERT INTO t VALUES(1)")
        let head = try database.pull().revision
        let rows: [(String, String)] = [
            ("newer than the server", try altered(head, commit: 1 << 40)),
            ("largest commit", try altered(head, commit: .max)),
            ("commit zero", try altered(head, commit: 0)),
            ("another epoch", try altered(head, epoch: Epoch(7))),
            ("cut short", String(head.dropLast(20))),
            ("upper case", head.uppercased()),
            ("something after it", head + ".0.0"),
            ("another server's", "rev/2501"),
            ("5 KB of text", String(repeating: "\u{1F600}r", count: 1024)),
            ("NUL and quotes", "\0\"'\\"),
        ]
        for (label, revision) in rows {
            let pull = try database.pull(PullBody(clientRevision: revision))
            XCTAssertEqual(pull.ids, Array(0..<pull.databaseSize), label)
            XCTAssertEqual(pull.revision, head, label)
        }
    }

    /// An answer in full would silently drop what the replica has not pushed.
    func testARevisionOfAnotherDatabaseIsRefused() throws {
        let (database, other) = (try makeDatabase(), try makeDatabase())
        let foreign = try other.pull().revision
        for body in [PullBody(clientRevision: foreign), PullBody(serverRevision: foreign)] {
            assertFailure(try database.pullReply(body), 409, "other_database")
        }
    }

    func testARecreatedDatabaseRefusesReplicasOfTheOldOne() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        let revision = try database.pull().revision
        XCTAssertEqual(try database.admin("DELETE", "").status, 200)
        XCTAssertEqual(try database.admin("POST", "/create").status, 200)
        let reply = try database.pullReply(PullBody(clientRevision: revision))
        assertFailure(reply, 409, "other_database")
        XCTAssertEqual(try database.pull().ids, [0])
    }

    func testAForkIsAnotherDatabase() throws {
        let database = try makeDatabase("CREATE TABLE t(x)", "INSERT INTO t VALUES(1)")
        let revision = try database.pull().revision
        let fork = server.database(database.name + "-fork")
        XCTAssertEqual(try database.admin("POST", "/fork/\(fork.name)").status, 200)
        assertFailure(
            try fork.pullReply(PullBody(clientRevision: revision)), 409, "other_database")
        XCTAssertEqual(try fork.sql("SELECT x FROM t").rows, [["1"]])
    }

    func testAServerRevisionThatCannotBeServedIsRefused() throws {
        let database = try makeDatabase()
        let head = try database.pull().revision
        let rows: [(String, Int, String)] = [
            (try altered(head, commit: 1 << 40), 410, "revision_gone"),
            (try altered(head, epoch: Epoch(7)), 410, "revision_gone"),
            ("rev/2501", 400, "revision_unreadable"),
        ]
        for (revision, status, code) in rows {
            assertFailure(
                try database.pullReply(PullBody(serverRevision: revision, selector: [0])),
                status, code)
        }
    }

    /// The revision is all that ties a replica to its server, so it outlives every process.
    func testRevisionsStayKnownOverRestartsAndKills() throws {
        var server = try RunningServer(arguments: ["--min-checkpoint-page-count", "20"])
        defer { server.kill() }
        var database = server.database("default")
        try database.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        try database.sql(
            "INSERT INTO t SELECT value, zeroblob(1000) FROM generate_series(1, 200)")
        var replica = DatabaseImage()
        replica.apply(try database.pull())
        for (round, isKilled) in [false, true, true, false].enumerated() {
            try database.sql("UPDATE t SET v = 'before \(round)' WHERE id = 1")
            server = try server.restarted(
                isKilled: isKilled, arguments: ["--min-checkpoint-page-count", "20"])
            database = server.database("default")
            let pull = try database.pull(PullBody(clientRevision: replica.revision))
            XCTAssertLessThan(pull.pages.count, 5, "round \(round)")
            replica.apply(pull)
            try database.sql("UPDATE t SET v = 'after \(round)' WHERE id = 2")
            replica.apply(try database.pull(PullBody(clientRevision: replica.revision)))
            XCTAssertEqual(replica.differingPages(from: try database.export()), [])
            XCTAssertEqual(
                try replica.text("SELECT v FROM t WHERE id = 1"), "before \(round)")
        }
        XCTAssertEqual(server.stop(), 0)
        XCTAssertEqual(DatabaseCheck.problems(in: server.dataDirectory), [])
    }

    /// Somebody put back an older copy of the files and wrote to it: its history is another one.
    func testARestoredCopyGivesEveryPageToThoseAheadOfIt() throws {
        var server = try RunningServer()
        defer { server.kill() }
        try server.database("default").sql("CREATE TABLE t(v)")
        XCTAssertEqual(server.stop(), 0)
        let (data, copy) = (server.dataDirectory, server.folder.path("copy"))
        try FileManager.default.copyItem(atPath: data, toPath: copy)

        server = try RunningServer(folder: server.folder)
        try server.database("default").sql("INSERT INTO t VALUES('lost')")
        let lost = try server.database("default").pull().revision
        XCTAssertEqual(server.stop(), 0)
        try FileManager.default.removeItem(atPath: data)
        try FileManager.default.moveItem(atPath: copy, toPath: data)

        server = try RunningServer(folder: server.folder)
        let database = server.database("default")
        try database.sql("INSERT INTO t VALUES('kept')")
        var replica = DatabaseImage()
        let pull = try database.pull(PullBody(clientRevision: lost))
        XCTAssertEqual(pull.ids, Array(0..<pull.databaseSize))
        replica.apply(pull)
        XCTAssertEqual(try replica.text("SELECT group_concat(v) FROM t"), "kept")
        XCTAssertEqual(server.stop(), 0)
    }
}
