import Synchronization
import XCTest

/// Checkpoints by hand and in tiers, as clients and operators see them; docs/operations.md,
/// "Checkpoints".
final class CheckpointTests: ServerTestCase {
    override class var serverArguments: [String] {
        ["--min-checkpoint-page-count", "5", "--max-snapshot-age", "1ms"]
    }

    private func checkpoint(_ database: TestDatabase, _ body: String) throws -> HTTPReply {
        try database.admin("POST", "/checkpoint", body: Array(body.utf8))
    }

    func testAllModesThroughSQLAndTheAdminListener() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        for mode in ["passive", "full", "restart", "truncate"] {
            for isSQL in [true, false] {
                try database.sql("INSERT INTO t VALUES('\(mode)')")
                let numbers: [Int]
                if isSQL {
                    let rows = try database.sql("PRAGMA wal_checkpoint(\(mode.uppercased()))").rows
                    numbers = rows[0].compactMap { Int($0) }
                } else {
                    let reply = try checkpoint(database, #"{"mode":"\#(mode)"}"#)
                    XCTAssertEqual(Set(reply.object.keys), ["busy", "log", "checkpointed"])
                    numbers = ["busy", "log", "checkpointed"].compactMap {
                        reply.object[$0] as? Int
                    }
                }
                XCTAssertEqual(numbers.count, 3)
                XCTAssertEqual(numbers[0], 0)
                XCTAssertEqual(numbers[1], numbers[2])
                XCTAssertEqual(numbers[1] == 0, mode == "truncate", "\(mode): \(numbers)")
                XCTAssertEqual(try database.statistic("wal_pages"), 0)
                XCTAssertEqual(try database.statistic("wal_bytes") == 0, mode == "truncate")
            }
        }
        XCTAssertEqual(try checkpoint(database, "").status, 200)
        XCTAssertEqual(try checkpoint(database, #"{"mode":"FULL","other":1}"#).status, 200)
    }

    func testWhatIsNoModeIsRefused() throws {
        let database = try makeDatabase()
        let rows: [(body: String, code: String)] = [
            (#"{"mode":"hard"}"#, "malformed_checkpoint"), (#"{"mode":1}"#, "malformed_checkpoint"),
            (#"{"mode":null}"#, "malformed_checkpoint"), ("[]", "malformed_checkpoint"),
            ("truncate", "malformed_json"),
        ]
        for row in rows {
            assertFailure(try checkpoint(database, row.body), 400, row.code, row.body)
        }
        assertFailure(
            try database.admin("POST", "/checkpoint?mode=truncate"), 400, "malformed_checkpoint")
        assertFailure(
            try server.database("absent").admin("POST", "/checkpoint"), 404, "database_unknown")
        XCTAssertEqual(try database.admin("GET", "/checkpoint").status, 404)
    }

    func testATransactionIsNoPlaceForACheckpoint() throws {
        let database = try makeDatabase("CREATE TABLE t(x)")
        let reply = try database.pipeline(
            JSONText.batch([
                #"{"stmt":\#(JSONText.statement("BEGIN"))}"#,
                #"{"stmt":\#(JSONText.statement("PRAGMA wal_checkpoint"))}"#,
                #"{"stmt":\#(JSONText.statement("COMMIT"))}"#,
            ]))
        XCTAssertTrue(
            reply.text.contains(#"{"message":"database table is locked","code":"SQLITE_LOCKED"}"#),
            reply.text)
    }

    /// Emptied WALs, new salts and restarts: a replica goes on with what changed, and no more.
    func testReplicasGoOnBehindEveryMode() throws {
        var server = try RunningServer()
        defer { server.kill() }
        var database = server.database("default")
        try database.sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        try database.sql("INSERT INTO t SELECT value, zeroblob(1000) FROM generate_series(1, 200)")
        var replica = DatabaseImage()
        replica.apply(try database.pull())
        for mode in ["passive", "restart", "truncate", "truncate"] {
            for isKilled in [true, false] {
                try database.sql("UPDATE t SET v = '\(mode)' WHERE id = 1")
                try database.sql("PRAGMA wal_checkpoint(\(mode))")
                if isKilled { try database.sql("UPDATE t SET v = '\(mode)' WHERE id = 190") }
                server = try server.restarted(isKilled: isKilled)
                database = server.database("default")
                let pull = try database.pull(PullBody(clientRevision: replica.revision))
                XCTAssertLessThan(pull.pages.count, 5, "\(mode), \(isKilled)")
                replica.apply(pull)
                XCTAssertEqual(replica.differingPages(from: try database.export()), [])
            }
        }
        XCTAssertEqual(server.stop(), 0, server.log)
        XCTAssertFalse(server.log.contains("lineage_broken"), server.log)
        XCTAssertEqual(DatabaseCheck.problems(in: server.dataDirectory), [])
    }

    func testClientsStayInSyncThroughVacuums() throws {
        let database = try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        var replica = DatabaseImage()
        for round in 1...3 {
            try database.sql(
                "INSERT INTO t(v) SELECT randomblob(900) FROM generate_series(1, 2000)")
            replica.apply(try database.pull(PullBody(clientRevision: replica.revision)))
            let size = replica.bytes.count
            try database.sql("DELETE FROM t WHERE id % 10 <> 0")
            if round % 2 == 0 {
                replica.apply(try database.pull(PullBody(clientRevision: replica.revision)))
            }
            try database.sql("VACUUM")
            let pull = try database.pull(PullBody(clientRevision: replica.revision))
            replica.apply(pull)
            XCTAssertLessThan(replica.bytes.count, size / 2)
            XCTAssertEqual(replica.differingPages(from: try database.export()), [])
            XCTAssertEqual(try replica.integrity(), "ok")
            XCTAssertEqual(
                try replica.text("SELECT count(*) FROM t"),
                try database.sql("SELECT count(*) FROM t").rows[0][0])
        }
    }

    /// Its answer comes although nothing else ends the statement for a minute.
    func testAQueryThatHoldsUpACheckpointIsEnded() throws {
        let database = try makeDatabase("CREATE TABLE t(x)", "INSERT INTO t VALUES(1)")
        let query = JSONText.execute("SELECT count(*) FROM t, generate_series(1, 1000000000000)")
        let answer = Mutex<HTTPReply?>(nil)
        let isRead = expectation(description: "answered")
        Thread.detachNewThread {
            let reply = try? database.pipeline(query)
            answer.withLock { $0 = reply }
            isRead.fulfill()
        }
        try wait(for: "the end of the query") {
            try database.sql("INSERT INTO t VALUES(randomblob(5000))")
            return answer.withLock { $0 != nil }
        }
        wait(for: [isRead], timeout: 60)
        let reply = try XCTUnwrap(answer.withLock { $0 })
        XCTAssertEqual(reply.status, 200)
        XCTAssertEqual(SQLResult(reply).failure?.code, "SNAPSHOT_TOO_OLD", reply.text)
        // Nobody writes any more, and the checkpoint goes on all the same.
        try wait(for: "the checkpoint") { try database.statistic("wal_pages") < 5 }
    }

    func testTheIntervalNeedsNoOtherWrite() throws {
        let server = try RunningServer(arguments: ["--checkpoint-interval", "10ms"])
        defer { server.kill() }
        let database = server.database("default")
        try database.sql("CREATE TABLE t(x)")
        try wait(for: "the checkpoint") { try database.statistic("wal_pages") == 0 }
        XCTAssertGreaterThan(try database.statistic("wal_bytes"), 0, "it is a PASSIVE one")
        XCTAssertEqual(server.stop(), 0)
    }

    func testALogThatGrewTooLongIsEmptied() throws {
        let server = try RunningServer(arguments: ["--truncate-page-n", "40"])
        defer { server.kill() }
        let database = server.database("default")
        try database.sql("CREATE TABLE t(x)")
        try database.sql("INSERT INTO t SELECT randomblob(4000) FROM generate_series(1, 60)")
        try wait(for: "the truncation") { try database.statistic("wal_bytes") == 0 }
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["60"]])
        XCTAssertEqual(server.stop(), 0)
    }

    func testALogWithoutABoundIsWarnedOf() throws {
        for count in ["0", "1"] {
            let server = try RunningServer(arguments: ["--truncate-page-n", count])
            defer { server.kill() }
            XCTAssertEqual(server.stop(), 0)
            XCTAssertEqual(server.log.contains("wal_truncation_disabled"), count == "0", count)
        }
    }
}
