import TestSupport
import XCTest

/// Pushes of frame sync, row by row as docs/protocol.md, "Frame sync" has them.
final class FramePushTests: ServerTestCase {
    override class var serverArguments: [String] {
        ["--min-checkpoint-page-count", "20", "--checkpoint-needed-pages", "0"]
    }

    private func assertAnswer(
        _ reply: HTTPReply, _ status: String, generation: Int = 1, _ lastFrame: Int,
        hasBaton: Bool = false, file: StaticString = #filePath, line: UInt = #line
    ) {
        XCTAssertEqual(reply.status, 200, reply.text, file: file, line: line)
        XCTAssertEqual(reply["content-type"], "application/json", file: file, line: line)
        let baton = reply.object["baton"] as? String
        XCTAssertEqual(baton != nil, hasBaton, reply.text, file: file, line: line)
        if let baton { XCTAssertEqual(baton.count, 32, file: file, line: line) }
        let rest = #""generation":\#(generation),"max_frame_no":\#(lastFrame)"#
        XCTAssertEqual(
            reply.text,
            #"{"status":"\#(status)",\#(rest),"baton":\#(baton.map { "\"\($0)\"" } ?? "null")}"#,
            file: file, line: line)
    }

    private func assertInSync(_ client: FrameClient, line: UInt = #line) throws {
        XCTAssertEqual(
            client.image.differingPages(from: try client.database.export()), [], line: line)
        XCTAssertEqual(try client.image.integrity(), "ok", line: line)
    }

    /// A client with one pushed commit, `frames.count` frames long.
    private func makeClient() throws -> FrameClient {
        let client = try FrameClient(
            try makeDatabase("CREATE TABLE t(id INTEGER PRIMARY KEY, v)"))
        try client.commit(
            "INSERT INTO t SELECT value, randomblob(900) FROM generate_series(1, 9)")
        try client.push()
        return client
    }

    private func revision(_ client: FrameClient) throws -> String {
        try client.database.admin("GET", "/stats").object["revision"] as? String ?? ""
    }

    // MARK: rows

    func testMalformedBodies() throws {
        let client = try makeClient()
        let before = try revision(client)
        let frame = WireFrame.encode([client.frames[0]])
        let path = "/db/\(client.database.name)/sync/1/\(client.frames.count + 1)/"
        let next = client.frames.count + 1
        let rows: [(count: Int, body: [UInt8], status: Int, code: String)] = [
            (1, [], 400, "malformed_frames"), (1, Array(frame.dropLast()), 400, "malformed_frames"),
            (2, frame, 400, "malformed_frames"), (1, frame + [0], 413, "body_too_large"),
            (1, frame + frame, 413, "body_too_large"),
            (1, Array("{}".utf8), 400, "malformed_frames"),
            (Int(UInt32.max) - next, frame, 400, "malformed_frames"),
        ]
        for row in rows {
            let reply = try server.request("POST", path + "\(next + row.count)", body: row.body)
            assertFailure(reply, row.status, row.code, "\(row.count), \(row.body.count)")
        }
        var damaged = WireFrame.encode(client.frames[0..<2])
        damaged[4120 + 100] ^= 1
        assertFailure(
            try server.request("POST", path + "\(next + 2)", body: damaged), 400,
            "malformed_frames")
        XCTAssertEqual(try revision(client), before)
    }

    func testAnotherGenerationIsAConflict() throws {
        let client = try makeClient()
        let next = client.frames.count + 1
        try client.commit("INSERT INTO t(v) VALUES('more')")
        let before = try revision(client)
        for generation in [2, 3, 4_294_967_295] {
            let reply = try client.pushReply(
                next..<client.frames.count + 1, generation: generation)
            assertAnswer(reply, "conflict", generation: generation, 0)
        }
        XCTAssertEqual(try revision(client), before)
        // Before the first use there is no generation at all.
        let fresh = try makeDatabase()
        let reply = try server.request(
            "POST", "/db/\(fresh.name)/sync/1/1/2", body: WireFrame.encode([client.frames[0]]))
        assertAnswer(reply, "conflict", 0)
    }

    func testOverlaps() throws {
        let client = try makeClient()
        let count = client.frames.count
        let before = try revision(client)
        // Equal: a replay after a lost response.
        for range in [1..<count + 1, 1..<2, 2..<count, count..<count + 1] {
            assertAnswer(
                try client.pushReply(range), "ok", range.upperBound - 1, hasBaton: true)
        }
        // Any byte that differs.
        for index in [0, count - 1] {
            var others = [client.frames, client.frames, client.frames, client.frames]
            others[0][index].page += 1
            others[1][index].databaseSize += 1
            others[2][index].content[0] ^= 1
            others[3][index].content[4095] ^= 1
            for frames in others {
                assertAnswer(
                    try client.pushReply(1..<count + 1, frames: frames), "conflict", count)
            }
        }
        XCTAssertEqual(try revision(client), before)
        // Equal, with a tail.
        try client.commit("INSERT INTO t(v) VALUES('tail')")
        let end = client.frames.count
        assertAnswer(try client.pushReply(2..<end + 1), "ok", end, hasBaton: true)
        try assertInSync(client)
        XCTAssertNotEqual(try revision(client), before)
    }

    func testGaps() throws {
        let client = try makeClient()
        let count = client.frames.count
        try client.commit(
            "INSERT INTO t SELECT NULL, randomblob(900) FROM generate_series(1, 9)")
        let end = client.frames.count
        let before = try revision(client)
        for start in [count + 2, end] {
            assertAnswer(try client.pushReply(start..<end + 1), "ok", count)
            assertAnswer(
                try client.pushReply(start..<end + 1, baton: String(repeating: "0", count: 32)),
                "ok", count)
        }
        XCTAssertEqual(try revision(client), before)
        try client.push()
        try assertInSync(client)
    }

    func testATransactionIsStagedUntilItsEnd() throws {
        let client = try makeClient()
        let database = client.database
        let first = client.frames.count + 1
        try client.commit(
            "INSERT INTO t SELECT NULL, randomblob(900) FROM generate_series(1, 40)")
        let end = client.frames.count
        let before = try revision(client)
        let cut = first + 3
        let one = try client.pushReply(first..<cut)
        assertAnswer(one, "ok", cut - 1, hasBaton: true)
        let baton = try XCTUnwrap(one.object["baton"] as? String)
        // Nobody sees it.
        XCTAssertEqual(try revision(client), before)
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["9"]])
        XCTAssertEqual(try client.pullReply(from: first).status, 400)
        // A batch comes again, a later one is missing, another database's baton.
        assertAnswer(
            try client.pushReply(first + 1..<cut + 1, baton: baton), "ok", cut, hasBaton: true)
        assertAnswer(
            try client.pushReply(cut + 1..<end, baton: "../\(baton)".replacing("/", with: "")),
            "ok", first - 1)
        assertAnswer(
            try client.pushReply(cut + 1..<end + 1, baton: baton), "ok", end, hasBaton: true)
        try assertInSync(client)
        XCTAssertEqual(try database.sql("SELECT count(*) FROM t").rows, [["49"]])
        // A gap ends the push, and its client begins again.
        try client.commit("DELETE FROM t WHERE id % 2 = 0")
        let next = end + 1
        let again = try client.pushReply(next..<next + 1)
        let other = try XCTUnwrap(again.object["baton"] as? String)
        XCTAssertNotEqual(other, baton)
        assertAnswer(try client.pushReply(next + 2..<next + 3, baton: other), "ok", end)
        assertAnswer(try client.pushReply(next + 1..<next + 2, baton: other), "ok", end)
    }

    func testABatchMayEndTransactionsAndBeginOne() throws {
        let client = try makeClient()
        let first = client.frames.count + 1
        try client.commit("INSERT INTO t(v) VALUES('one')", "INSERT INTO t(v) VALUES('two')")
        let middle = client.frames.count
        try client.commit(
            "INSERT INTO t SELECT NULL, randomblob(3000) FROM generate_series(1, 9)")
        let reply = try client.pushReply(first..<middle + 3)
        assertAnswer(reply, "ok", middle + 2, hasBaton: true)
        XCTAssertEqual(try client.database.sql("SELECT count(*) FROM t").rows, [["11"]])
        let baton = try XCTUnwrap(reply.object["baton"] as? String)
        let end = client.frames.count
        assertAnswer(
            try client.pushReply(middle + 3..<end + 1, baton: baton), "ok", end, hasBaton: true)
        try assertInSync(client)
    }

    func testACommitInBetweenIsAConflict() throws {
        let client = try makeClient()
        let first = client.frames.count + 1
        try client.commit(
            "INSERT INTO t SELECT NULL, randomblob(900) FROM generate_series(1, 40)")
        let end = client.frames.count
        let reply = try client.pushReply(first..<first + 5)
        let baton = try XCTUnwrap(reply.object["baton"] as? String)
        // The write lock is not held.
        try client.database.sql("INSERT INTO t(v) VALUES('meanwhile')")
        let pull = WireFrame.decode(try client.pullReply(from: first).body)
        let newest = first - 1 + pull.count
        XCTAssertLessThan(newest, first + 5)
        assertAnswer(
            try client.pushReply(first + 5..<end + 1, baton: baton), "conflict", newest)
        assertAnswer(try client.pushReply(first..<end + 1), "conflict", newest)
        XCTAssertEqual(try client.database.sql("SELECT count(*) FROM t").rows, [["10"]])
    }

    func testABatonIsOfItsDatabaseOnly() throws {
        let (mine, other) = (try makeClient(), try makeClient())
        try mine.commit("INSERT INTO t SELECT NULL, randomblob(900) FROM generate_series(1, 40)")
        let first = mine.durableCount + 1
        let reply = try mine.pushReply(first..<first + 2)
        let baton = try XCTUnwrap(reply.object["baton"] as? String)
        let theft = try server.request(
            "POST", "/db/\(other.database.name)/sync/1/\(first + 2)/\(first + 3)/\(baton)",
            body: WireFrame.encode([mine.frames[first + 1]]))
        assertAnswer(theft, "ok", other.durableCount)
        assertAnswer(
            try mine.pushReply(first + 2..<first + 4, baton: baton), "ok", first + 3,
            hasBaton: true)
    }

    // MARK: images that cannot be kept

    func testABadImageIsRefusedAndLeavesNoTrace() throws {
        let client = try makeClient()
        let database = client.database
        let first = client.frames.count + 1
        let before = try revision(client)
        let size = try database.export().bytes
        func frames(_ change: (inout WireFrame) -> Void) -> [WireFrame] {
            var one = WireFrame(
                page: 1, databaseSize: UInt32(client.pages.count), content: client.pages[0])
            change(&one)
            return [one]
        }
        let bad: [(String, [WireFrame])] = [
            ("page 0", frames { $0.page = 0 }),
            ("a page beyond the size", frames { $0.page = 4_000_000 }),
            ("growth by a hole", frames { $0.databaseSize = 4_000_000 }),
            ("no SQLite file", frames { $0.content[0] ^= 1 }),
            ("another page size", frames { $0.content[16] = 0x20 }),
            ("no WAL", frames { $0.content[18] = 1 }),
            ("reserved bytes", frames { $0.content[20] = 8 }),
            ("a size of 0", frames { $0.content.replaceSubrange(28..<32, with: [0, 0, 0, 0]) }),
            ("UTF-16", frames { $0.content[59] = 2 }),
            ("garbage", frames { $0.content = [UInt8](repeating: 7, count: 4096) }),
            (
                "a tree of garbage",
                frames {
                    $0.page = 2
                    $0.content = [UInt8](repeating: 7, count: 4096)
                }
            ),
        ]
        for (what, frames) in bad {
            let reply = try client.pushReply(first..<first + 1, frames: frames)
            assertFailure(reply, 422, "frames_refused", what)
        }
        XCTAssertEqual(try revision(client), before)
        XCTAssertEqual(try database.export().bytes == size, true)
        XCTAssertEqual(try client.pullReply(from: first).status, 400)
        // Also when it came in two batches.
        let half = client.pages[0]
        let staged = try client.pushReply(
            first..<first + 1, frames: [WireFrame(page: 1, databaseSize: 0, content: half)])
        let baton = try XCTUnwrap(staged.object["baton"] as? String)
        assertFailure(
            try client.pushReply(first + 1..<first + 2, baton: baton, frames: bad[10].1), 422,
            "frames_refused")
        assertAnswer(
            try client.pushReply(first + 1..<first + 2, baton: baton, frames: bad[10].1), "ok",
            first - 1)
        try client.commit("INSERT INTO t(v) VALUES('sound')")
        try client.push()
        try assertInSync(client)
    }

    func testWhatReplicasCannotHoldIsRefused() throws {
        for sql in [
            "CREATE VIRTUAL TABLE f USING fts5(x)", "CREATE TABLE turso_cdc(a)",
            "CREATE TABLE g(a, b AS (a + 1) STORED)",
        ] {
            let client = try makeClient()
            let before = try revision(client)
            let first = client.frames.count + 1
            try client.commit(sql)
            let reply = try client.pushReply(first..<client.frames.count + 1)
            assertFailure(reply, 422, "frames_refused", sql)
            XCTAssertEqual(try revision(client), before, sql)
            XCTAssertEqual(
                try client.database.sql("SELECT count(*) FROM sqlite_schema").rows, [["1"]])
        }
    }

    // MARK: clients

    func testAClientThatMissedTheRollCountsOn() throws {
        let client = try makeClient()
        let database = client.database
        try client.commit("INSERT INTO t(v) VALUES('before')")
        try client.push()
        let end = client.durableCount
        let other = FrameClient(copying: client)
        try client.commit(
            "INSERT INTO t SELECT NULL, randomblob(2500) FROM generate_series(1, 300)")
        try other.commit("INSERT INTO t(v) VALUES('other')")
        XCTAssertEqual(
            try database.admin("POST", "/checkpoint", body: Array(#"{"mode":"truncate"}"#.utf8))
                .status,
            200)
        XCTAssertGreaterThan(try client.push(), 128)
        XCTAssertEqual(client.generation, 1)
        try assertInSync(client)
        // It need not know for long.
        try client.commit("INSERT INTO t(v) VALUES('again')")
        try client.push()
        try assertInSync(client)
        // Another one does not get in beside it.
        let reply = try other.pushReply(end + 1..<other.frames.count + 1)
        XCTAssertEqual(
            reply.text,
            "{\"status\":\"conflict\",\"generation\":1,"
                + "\"max_frame_no\":\(client.durableCount),\"baton\":null}")
        XCTAssertEqual(
            try other.pushReply(1..<2).object["status"] as? String, "conflict")
        try client.pull()
        XCTAssertEqual(client.generation, 2)
        try assertInSync(client)
        let fresh = try FrameClient(database)
        try fresh.pull()
        try assertInSync(fresh)
        // A state that no server can have told it.
        let ahead = try server.request(
            "GET", "/db/\(database.name)/sync/1/\(end + fresh.frames.count + 2)/9999")
        assertFailure(ahead, 410, "client_ahead")
    }

    func testALargeTransactionOverManyBatches() throws {
        let client = try makeClient()
        try client.commit(
            """
            BEGIN; INSERT INTO t SELECT NULL, randomblob(2500) FROM generate_series(1, 2000);
            UPDATE t SET v = v || 'x' WHERE id % 100 = 0; COMMIT
            """)
        XCTAssertGreaterThan(client.frames.count, 1000)
        try client.push()
        try assertInSync(client)
        try client.commit("DELETE FROM t WHERE id > 20")
        try client.commit("VACUUM")
        try client.commit("CREATE TABLE u(a, b); CREATE INDEX iu ON u(b)")
        try client.push()
        try assertInSync(client)
        XCTAssertLessThan(client.pages.count, 100)
        let other = try FrameClient(client.database)
        try other.pull()
        try assertInSync(other)
    }

    func testTwoClientsConflict() throws {
        let one = try makeClient()
        let two = FrameClient(copying: one)
        try one.commit("INSERT INTO t(v) VALUES('one')")
        try two.commit("INSERT INTO t(v) VALUES('two')")
        let start = two.durableCount + 1
        try one.push()
        XCTAssertThrowsError(try two.push()) {
            XCTAssertEqual(
                $0 as? FrameClient.Failure,
                .conflict(start: start, lastFrame: one.durableCount))
        }
        XCTAssertEqual(try two.pullReply().status, 200)
        try assertInSync(one)
        let three = try FrameClient(one.database)
        try three.pull()
        try assertInSync(three)
    }

    func testAPushThatLostItsAnswerIsRepeated() throws {
        let client = try makeClient()
        try client.commit(
            "INSERT INTO t SELECT NULL, randomblob(2500) FROM generate_series(1, 300)")
        let impatient = FrameClient(copying: client)
        try impatient.push()
        let before = try revision(client)
        // It does not know; nothing happens twice.
        try client.push()
        XCTAssertEqual(try revision(client), before)
        try assertInSync(client)
    }

    func testPushesMeetSQLAndPulls() throws {
        let client = try makeClient()
        let database = client.database
        var replica = DatabaseImage()
        replica.apply(try database.pull())
        try client.commit("INSERT INTO t(v) VALUES('frames')")
        try client.push()
        let pull = try database.pull(PullBody(clientRevision: replica.revision))
        XCTAssertLessThan(pull.pages.count, 4)
        replica.apply(pull)
        XCTAssertEqual(replica.differingPages(from: client.image), [])
        XCTAssertEqual(
            try database.sql("SELECT v FROM t ORDER BY id DESC LIMIT 1").rows, [["frames"]])
        try database.sql("INSERT INTO t(v) VALUES('sql')")
        try client.pull()
        replica.apply(try database.pull(PullBody(clientRevision: replica.revision)))
        XCTAssertEqual(replica.differingPages(from: client.image), [])
        try assertInSync(client)
    }

    /// Several clients, SQL and checkpoints in any order, and restarts in between.
    func testAnyOrderOfWritersLeavesEverybodyEqual() throws {
        var generator = SeededGenerator.announced(for: name)
        var server = try RunningServer(arguments: Self.serverArguments)
        defer { server.kill() }
        try server.database("default").sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        var clients = try (0..<3).map { _ in try FrameClient(server.database("default")) }
        for _ in 0..<120 {
            let database = server.database("default")
            let index = Int.random(in: 0..<clients.count, using: &generator)
            switch Int.random(in: 0..<12, using: &generator) {
            case 0...3:
                let count = Int.random(in: 1...150, using: &generator)
                try clients[index].commit(
                    "INSERT INTO t SELECT NULL, randomblob(1500) FROM generate_series(1, \(count))"
                )
            case 4...8:
                do { try clients[index].sync() } catch FrameClient.Failure.conflict {
                    clients[index] = try FrameClient(database)
                }
            case 9: try database.sql("UPDATE t SET v = randomblob(99) WHERE id % 7 = 1")
            case 10:
                try database.sql("DELETE FROM t WHERE id % 3 = 0")
                if Bool.random(using: &generator) { try database.sql("PRAGMA wal_checkpoint") }
            default:
                server = try server.restarted(
                    isKilled: Bool.random(using: &generator), arguments: Self.serverArguments)
                clients = clients.map { FrameClient(copying: $0, on: server.database("default")) }
            }
        }
        for index in clients.indices {
            do { try clients[index].sync() } catch FrameClient.Failure.conflict {
                clients[index] = try FrameClient(server.database("default"))
            }
        }
        for client in clients {
            try client.pull()
            try assertInSync(client)
        }
        XCTAssertEqual(server.stop(), 0, server.log)
        XCTAssertEqual(DatabaseCheck.problems(in: server.dataDirectory), [])
    }
}
