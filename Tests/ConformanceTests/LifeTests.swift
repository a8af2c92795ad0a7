import Foundation
import SQLite
import XCTest

/// Starting, stopping, dying, and sharing a machine; docs/operations.md.
final class LifeTests: XCTestCase {
    private func pipeline(_ sql: String) -> [UInt8] {
        Array(
            #"{"requests":[{"type":"execute","stmt":{"sql":\#(JSONText.string(sql))}}]}"#.utf8)
    }

    // MARK: stopping

    func testAStopFinishesARequestThatHasBegun() throws {
        let server = try RunningServer()
        defer { server.kill() }
        try server.database("default").sql("CREATE TABLE t(x)")
        let body = pipeline("INSERT INTO t VALUES('in time')")
        let client = try RawClient(port: server.http)
        try client.send(
            "POST /v2/pipeline HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                + "Content-Length: \(body.count)\r\n\r\n")
        XCTAssertEqual(try client.readHead().status, 100)
        server.send(SIGTERM)
        // The listener closes first, so from here on the server is stopping.
        try waitUntilRefusing(port: server.http)
        try client.send(body)
        let reply = try client.readReply()
        XCTAssertEqual(reply.status, 200)
        XCTAssertTrue(client.isClosedByServer())
        XCTAssertEqual(server.waitForExit(), 0, server.log)

        let next = try RunningServer(folder: server.folder)
        XCTAssertEqual(try next.database("default").sql("SELECT x FROM t").rows, [["in time"]])
        XCTAssertEqual(next.stop(), 0)
    }

    func testAStopFinishesAnAnswerThatIsUnderWay() throws {
        let server = try RunningServer()
        defer { server.kill() }
        let database = server.database("default")
        try database.sql("CREATE TABLE t(x)")
        try database.sql("INSERT INTO t SELECT randomblob(4000) FROM generate_series(1, 4000)")
        let client = try RawClient(port: server.http, receiveBuffer: 8192)
        try client.send(RawClient.request("POST", "/pull-updates", body: []))
        var reply = try client.readHead()
        server.send(SIGTERM)
        try waitUntilRefusing(port: server.http)
        try client.readBody(of: &reply)
        let pull = try PulledPages(reply, file: #filePath, line: #line)
        XCTAssertEqual(pull.ids, Array(0..<pull.databaseSize))
        XCTAssertEqual(server.waitForExit(), 0, server.log)
    }

    func testAStopAnswersLongPollsAtOnce() throws {
        for signal in [SIGTERM, SIGINT] {
            let server = try RunningServer()
            defer { server.kill() }
            let database = server.database("default")
            let revision = try database.pull().revision
            let client = try RawClient(port: server.http)
            let body = PullBody(clientRevision: revision, longPollMilliseconds: 60_000).bytes
            try client.send(RawClient.request("POST", "/pull-updates", body: body))
            while try database.statistic("long_polls") == 0 {}
            let start = ContinuousClock.now
            server.send(signal)
            let pull = try PulledPages(try client.readReply(), file: #filePath, line: #line)
            XCTAssertEqual(pull.revision, revision)
            XCTAssertEqual(pull.ids, [])
            XCTAssertEqual(server.waitForExit(), 0, server.log)
            XCTAssertLessThan(ContinuousClock.now - start, .seconds(10))
        }
    }

    func testAClientThatNeverReadsDoesNotHoldUpAStop() throws {
        let server = try RunningServer(arguments: ["--shutdown-grace", "300ms"])
        defer { server.kill() }
        let database = server.database("default")
        try database.sql("CREATE TABLE t(x)")
        try database.sql("INSERT INTO t SELECT randomblob(4000) FROM generate_series(1, 4000)")
        let client = try RawClient(port: server.http, receiveBuffer: 8192)
        try client.send(RawClient.request("POST", "/pull-updates", body: []))
        _ = try client.readHead()
        let start = ContinuousClock.now
        XCTAssertEqual(server.stop(), 0, server.log)
        XCTAssertLessThan(ContinuousClock.now - start, .seconds(15))
    }

    private func waitUntilRefusing(port: UInt16) throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while let client = try? RawClient(port: port) {
            client.close()
            guard ContinuousClock.now < deadline else {
                return XCTFail("the listener stays open")
            }
        }
    }

    // MARK: starting

    func testASecondServerOnTheSameDataIsRefused() throws {
        let server = try RunningServer()
        defer { server.kill() }
        let second = try ServerProcess.run(
            RunningServer.arguments(data: server.dataDirectory), in: TemporaryFolder())
        XCTAssertEqual(second.exitCode, 69, second.errors)
        XCTAssertTrue(second.errors.contains("in use"), second.errors)
        XCTAssertEqual(try server.request("GET", "/health").status, 200)
        XCTAssertEqual(server.stop(), 0)
    }

    func testADeadServersDataCanBeUsedAtOnce() throws {
        let server = try RunningServer()
        server.kill()
        let next = try RunningServer(folder: server.folder)
        XCTAssertEqual(next.stop(), 0)
    }

    func testAPortThatIsTakenIsReported() throws {
        let server = try RunningServer()
        defer { server.kill() }
        let folder = try TemporaryFolder()
        let second = try ServerProcess.run(
            ["serve", "--data", folder.path("data"), "--listen", "127.0.0.1:\(server.http)"],
            in: folder)
        XCTAssertEqual(second.exitCode, 69, second.errors)
        XCTAssertTrue(second.errors.contains("127.0.0.1:\(server.http)"), second.errors)
    }

    /// Nobody is asked for a token yet.
    func testListeningToOtherMachinesMustBeWanted() throws {
        for option in ["--listen", "--admin-listen"] {
            for host in ["0.0.0.0", "[::]"] {
                let folder = try TemporaryFolder()
                let run = try ServerProcess.run(
                    ["serve", "--data", folder.path("data"), option, "\(host):0"], in: folder)
                XCTAssertEqual(run.exitCode, 78, "\(option) \(host) \(run.errors)")
                XCTAssertTrue(run.errors.contains("authenticates nobody"), run.errors)
                XCTAssertTrue(run.errors.contains("--insecure-no-auth"), run.errors)
                XCTAssertFalse(FileManager.default.fileExists(atPath: folder.path("data")))
            }
        }
    }

    func testDatabasesAreThereAfterARestart() throws {
        var server = try RunningServer()
        defer { server.kill() }
        for name in ["one", "two"] {
            let database = server.database(name)
            XCTAssertEqual(try database.admin("POST", "/create").status, 200)
            try database.sql("CREATE TABLE t(x)")
            try database.sql("INSERT INTO t VALUES('\(name)')")
        }
        for isKilled in [false, true] {
            server = try server.restarted(isKilled: isKilled)
            for name in ["one", "two"] {
                XCTAssertEqual(try server.database(name).sql("SELECT x FROM t").rows, [[name]])
            }
        }
        XCTAssertEqual(server.stop(), 0)
        XCTAssertEqual(DatabaseCheck.problems(in: server.dataDirectory), [])
    }

    func testWhatACrashLeftIsRemovedAtTheNextStart() throws {
        let server = try RunningServer()
        server.kill()
        let folder = server.dataDirectory + "/databases"
        try Data("half".utf8).write(to: URL(fileURLWithPath: folder + "/.upload-1"))
        try FileManager.default.createDirectory(
            atPath: folder + "/.creating-1", withIntermediateDirectories: false)
        try Data("half".utf8).write(to: URL(fileURLWithPath: folder + "/.creating-1/main.db"))
        let next = try RunningServer(folder: server.folder)
        XCTAssertFalse(next.dataFiles.contains { $0.contains("/.") })
        XCTAssertEqual(next.stop(), 0)
    }

    // MARK: sharing the machine

    /// Another program that wrote to the file, or checkpointed it, would break every replica.
    func testOtherProgramsAreLockedOutWhileADatabaseIsOpen() throws {
        let server = try RunningServer()
        defer { server.kill() }
        try server.database("default").sql("CREATE TABLE t(x)")
        let path = server.dataDirectory + "/databases/default/main.db"
        for sql in ["SELECT count(*) FROM t", "INSERT INTO t VALUES(1)", "PRAGMA wal_checkpoint"] {
            XCTAssertThrowsError(
                try Connection(path: path, mode: .readWrite).execute(sql), sql
            ) { error in
                XCTAssertEqual((error as? SQLiteError)?.message, "database is locked", sql)
            }
        }
        XCTAssertEqual(try server.database("default").sql("SELECT count(*) FROM t").rows, [["0"]])
        XCTAssertEqual(server.stop(), 0)
        let connection = try Connection(path: path, mode: .readWrite)
        XCTAssertEqual(try connection.queryInteger("SELECT count(*) FROM t"), 0)
        connection.close()
    }

    func testADatabaseThatAnotherProgramHoldsIsUnavailableUntilItLetsGo() throws {
        let server = try RunningServer()
        defer { server.kill() }
        XCTAssertEqual(try server.database("busy").admin("POST", "/create").status, 200)
        let path = server.dataDirectory + "/databases/busy/main.db"
        let connection = try Connection(path: path, mode: .readWrite)
        _ = try connection.queryInteger("SELECT count(*) FROM sqlite_schema")
        let reply = try server.database("busy").pullReply()
        XCTAssertEqual(reply.status, 503)
        XCTAssertEqual(reply.object["code"] as? String, "database_locked")
        XCTAssertNotNil(reply["retry-after"])
        connection.close()
        XCTAssertEqual(try server.database("busy").pull().ids, [0])
        XCTAssertEqual(server.stop(), 0)
    }

    func testRunningOutOfFileDescriptorsPasses() throws {
        let server = try RunningServer(shell: .init(prologue: "ulimit -n 64"))
        defer { server.kill() }
        let database = server.database("default")
        try database.sql("CREATE TABLE t(x)")
        // More than there are descriptors; some are accepted, the others wait.
        let clients = try (0..<100).map { _ in try RawClient(port: server.http) }
        for client in clients { try client.send(RawClient.request("GET", "/health")) }
        XCTAssertEqual(try clients[0].readReply().status, 200)
        for client in clients { client.close() }
        XCTAssertEqual(try server.request("GET", "/health").status, 200)
        try database.sql("INSERT INTO t VALUES(1)")
        for name in ["a", "b"] {
            XCTAssertEqual(try server.database(name).admin("POST", "/create").status, 200)
        }
        XCTAssertEqual(server.stop(), 0, server.log)
        XCTAssertEqual(DatabaseCheck.problems(in: server.dataDirectory), [])
    }

    func testClientsAndLogReadersThatGoAwayDoNotEndTheServer() throws {
        let server = try RunningServer()
        defer { server.kill() }
        let database = server.database("default")
        try database.sql("CREATE TABLE t(x)")
        try database.sql("INSERT INTO t SELECT randomblob(4000) FROM generate_series(1, 2000)")
        for _ in 0..<10 {
            let client = try RawClient(port: server.http, receiveBuffer: 8192)
            try client.send(RawClient.request("POST", "/pull-updates", body: []))
            _ = try client.readHead()
            client.reset()
        }
        XCTAssertEqual(try server.request("GET", "/health").status, 200)
        XCTAssertEqual(server.stop(), 0, server.log)
    }
}
