import Foundation
import Primitives
import SQLite
import TestSupport
import XCTest

@testable import Storage

/// Frame sync against a real store: frames that SQL made and frames that clients push, in one
/// numbering, through checkpoints, restarts and rolls.
final class FrameSyncTests: XCTestCase {
    /// A client of frame sync without a network: the file it has, and what it knows.
    private struct Client {
        var image: [UInt8]
        var generation: UInt32
        var lastFrame: UInt32

        mutating func apply(_ frames: [WALFrame]) {
            for frame in frames {
                let start = Int(frame.page - 1) * pageSize
                if image.count < start + pageSize {
                    image += [UInt8](repeating: 0, count: start + pageSize - image.count)
                }
                image.replaceSubrange(start..<start + pageSize, with: frame.content)
                if frame.databaseSize != 0 {
                    image = Array(image.prefix(Int(frame.databaseSize) * pageSize))
                }
                lastFrame += 1
            }
        }
    }

    private func makeFixture(minimumFrameCount: Int = 1000) throws -> StorageFixture {
        var options = StorageOptions()
        options.minCheckpointPageCount = minimumFrameCount
        let fixture = try StorageFixture(options: options)
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(9000)), (2), (3)")
        return fixture
    }

    private func database(_ fixture: StorageFixture) throws -> Database {
        try fixture.acquire().database
    }

    private func begin(_ fixture: StorageFixture) throws -> Client {
        let database = try database(fixture)
        let generation = try database.beginFrameSync()
        let base = try fixture.image(of: database.generationBase(generation.number))
        return Client(image: base, generation: generation.number, lastFrame: 0)
    }

    private func frames(
        _ fixture: StorageFixture, _ generation: UInt32, from start: UInt32, limit: Int = 100
    ) throws -> [WALFrame]? {
        let source = try database(fixture).frameSource(
            generation: generation, from: start, limit: limit)
        guard let source else { return nil }
        XCTAssertEqual(source.first, start)
        var frames: [WALFrame] = []
        while let piece = try source.nextPiece(maximumBytes: 50_000) {
            XCTAssertLessThanOrEqual(piece.count, 50_000)
            for offset in stride(from: 0, to: piece.count, by: WALScanner.frameSize) {
                frames.append(WALFrame(wire: piece[offset..<offset + WALScanner.frameSize]))
            }
        }
        XCTAssertEqual(frames.count, source.count)
        try require(frames.last?.databaseSize != 0, "an answer ends within a transaction")
        return frames
    }

    private func pull(_ client: inout Client, _ fixture: StorageFixture, limit: Int = 100) throws {
        while true {
            if let found = try frames(
                fixture, client.generation, from: client.lastFrame + 1, limit: limit)
            {
                client.apply(found)
            } else if client.generation < (try database(fixture).frameGeneration!.number) {
                client.generation += 1
                client.lastFrame = 0
            } else {
                return
            }
        }
    }

    /// Runs SQL on the client's file with stock SQLite and returns the frames of its WAL.
    private func write(_ sql: [String], on client: inout Client) throws -> [WALFrame] {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write(client.image, to: "client.db")
        let connection = try Connection(path: folder.file("client.db"), mode: .readWrite)
        try connection.disableCheckpointOnClose()
        try connection.persistWAL()
        try connection.execute("PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF")
        for statement in sql { try connection.execute(statement) }
        connection.close()
        let bytes = [UInt8](
            try Data(contentsOf: URL(fileURLWithPath: folder.file("client.db-wal"))))
        guard !bytes.isEmpty else { return [] }
        var scanner = try XCTUnwrap(bytes.withUnsafeBytes { WALScanner(header: $0) })
        var frames: [WALFrame] = []
        var offset = WALScanner.headerSize
        while offset + WALScanner.frameSize <= bytes.count {
            let wire = bytes[offset..<offset + WALScanner.frameSize]
            guard wire.withUnsafeBytes({ scanner.append(frame: $0) }) else { break }
            frames.append(WALFrame(wire: wire))
            offset += WALScanner.frameSize
        }
        frames.removeLast(frames.count - Int(scanner.commits.last?.lastFrame ?? 0))
        client.apply(frames)
        return frames
    }

    private func push(_ frames: [WALFrame], _ fixture: StorageFixture) throws {
        try fixture.write(database(fixture)) { try $0.apply(frames) }
    }

    private func roll(_ fixture: StorageFixture) throws -> FrameGeneration {
        try fixture.write(database(fixture)) { try $0.rollGeneration() }
    }

    private func checkSame(
        _ client: Client, _ fixture: StorageFixture, _ message: String = ""
    ) throws {
        let database = try database(fixture)
        let snapshot = try database.snapshot()
        let image = try fixture.image(of: snapshot)
        try require(client.image == image, "\(message): the client differs from the server")
        try fixture.withImage(image) { connection in
            let result = try connection.queryText("PRAGMA integrity_check")
            try require(result == "ok", "\(message): \(result ?? "nothing")")
        }
        // What SQLite's own connections see.
        let count = try fixture.query("SELECT count(*) + total(length(v)) FROM t")
        try fixture.withImage(image) { connection in
            let expected = try connection.queryInteger("SELECT count(*) + total(length(v)) FROM t")
            try require(count == expected, "\(message): SQLite sees another state")
        }
    }

    func testFramesThatSQLMadeBringAClientUpToDate() throws {
        let fixture = try makeFixture(minimumFrameCount: 5)
        defer { fixture.tearDown() }
        var client = try begin(fixture)
        XCTAssertEqual(client.generation, 1)
        XCTAssertNil(try frames(fixture, 1, from: 1))
        for round in 0..<6 {
            try fixture.execute("INSERT INTO t (v) VALUES (randomblob(\(round * 3000)))")
            try fixture.execute("UPDATE t SET v = randomblob(100) WHERE id = 2")
            if round == 3 { try fixture.execute("DELETE FROM t WHERE id > 3; VACUUM") }
            if round % 2 == 0 { try fixture.reopen() }
            try pull(&client, fixture, limit: 3)
            try checkSame(client, fixture, "round \(round)")
        }
        var late = Client(
            image: try fixture.image(of: database(fixture).generationBase(1)), generation: 1,
            lastFrame: 0)
        try pull(&late, fixture)
        try checkSame(late, fixture, "from the base")
        XCTAssertEqual(late.lastFrame, client.lastFrame)
        XCTAssertThrowsError(try frames(fixture, 1, from: client.lastFrame + 2))
        XCTAssertThrowsError(try frames(fixture, 2, from: 1))
        XCTAssertThrowsError(try database(fixture).generationBase(2))
    }

    func testPushedFramesBecomeCommitsLikeAnyOthers() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        var client = try begin(fixture)
        let reader = try HeldReader(database(fixture), "SELECT id FROM t")
        let before = try database(fixture).snapshot()
        let image = try fixture.image(of: before)
        let frames = try write(
            [
                "INSERT INTO t (v) VALUES (randomblob(20000))",
                "CREATE TABLE u (a UNIQUE, b); INSERT INTO u VALUES (1, 2)",
                "UPDATE t SET v = 'changed' WHERE id = 2",
            ], on: &client)
        let head = try database(fixture).head.revision.commit.rawValue
        try push(frames, fixture)
        try checkSame(client, fixture)
        XCTAssertEqual(
            try database(fixture).head.revision.commit.rawValue, head + 4, "one for each commit")
        XCTAssertTrue(try fixture.image(of: before) == image, "snapshots keep what they saw")
        reader.end()
        XCTAssertEqual(try fixture.query("SELECT b FROM u"), 2)
        try fixture.execute("INSERT INTO u VALUES (2, 3)")
        try fixture.reopen()
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM u"), 2)
        try pull(&client, fixture)
        try checkSame(client, fixture, "after SQL on top, and a restart")
    }

    /// SQLite's hash tables of frames are split into regions of about 4,000.
    func testManyFramesInOneTransaction() throws {
        let fixture = try makeFixture(minimumFrameCount: 100_000)
        defer { fixture.tearDown() }
        var client = try begin(fixture)
        for round in 0..<3 {
            let frames = try write(
                [
                    "INSERT INTO t (v) SELECT randomblob(3900) FROM generate(1, 3000)".replacing(
                        "generate(1, 3000)",
                        with: "(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n "
                            + "WHERE x < 3000) SELECT x FROM n)")
                ], on: &client)
            XCTAssertGreaterThan(frames.count, 3000)
            try push(frames, fixture)
            try fixture.execute("UPDATE t SET v = \(round) WHERE id = \(round * 2900 + 7)")
            try pull(&client, fixture, limit: 1)
            try checkSame(client, fixture, "round \(round)")
        }
        try fixture.reopen()
        try checkSame(client, fixture, "after a restart")
    }

    func testARollKeepsTheFramesOfTheGenerationBefore() throws {
        let fixture = try makeFixture(minimumFrameCount: 5)
        defer { fixture.tearDown() }
        var client = try begin(fixture)
        var slow = client
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(9000))")
        try pull(&client, fixture)
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(100))")
        XCTAssertEqual(try roll(fixture).number, 2)
        XCTAssertEqual(try database(fixture).frameGeneration?.lastFrame, 0)
        XCTAssertEqual(
            try database(fixture).frameGeneration?.previousEnd, client.lastFrame + 1)
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(200))")
        try fixture.reopen()
        try pull(&client, fixture)
        XCTAssertEqual(client.generation, 2)
        try checkSame(client, fixture, "it moved on")
        try pull(&slow, fixture)
        try checkSame(slow, fixture, "from the first frame on")
        let base = try database(fixture).generationBase(2)
        var fresh = Client(
            image: try fixture.image(of: base), generation: 2, lastFrame: 0)
        try pull(&fresh, fixture)
        try checkSame(fresh, fixture, "fresh in generation 2")
        XCTAssertThrowsError(try database(fixture).generationBase(1))
    }

    func testOldGenerationsWithoutFramesEndWithOneTransaction() throws {
        let fixture = try makeFixture(minimumFrameCount: 5)
        defer { fixture.tearDown() }
        fixture.options.historyQuota = 0
        try fixture.reopen()
        let first = try begin(fixture)
        var clients = [first]
        for round in 0..<4 {
            try fixture.execute("INSERT INTO t (v) VALUES (randomblob(9000))")
            try fixture.execute("UPDATE t SET v = randomblob(3000) WHERE id <= 2")
            var client = first
            client.image = try fixture.image(
                of: database(fixture).generationBase(UInt32(round + 1)))
            client.generation = UInt32(round + 1)
            try pull(&client, fixture, limit: round + 1)
            clients.append(client)
            if round == 2 { try fixture.execute("DELETE FROM t WHERE id > 3; VACUUM") }
            _ = try roll(fixture)
        }
        try fixture.execute("UPDATE t SET v = 'newest' WHERE id = 1")
        XCTAssertEqual(
            try FileManager.default.contentsOfDirectory(
                atPath: fixture.directory + "/databases/default"
            ).filter { $0.hasPrefix("frames.") }.sorted(), ["frames.4", "frames.5"],
            "clients of the generation before can still push")
        try fixture.reopen()
        for index in clients.indices {
            try pull(&clients[index], fixture)
            XCTAssertEqual(clients[index].generation, 5)
            try checkSame(clients[index], fixture, "client \(index)")
        }
    }

    /// Commits by SQL and by clients, checkpoints, restarts and rolls, in any order.
    func testRandomHistories() throws {
        forEachSeed(count: 6) { generator in
            let fixture = try self.makeFixture(minimumFrameCount: generator.number(2...60))
            defer { fixture.tearDown() }
            let base = try self.begin(fixture)
            var clients = [base, base]
            var reader: HeldReader?
            defer { reader?.end() }
            for step in 0..<40 {
                let index = generator.number(0...1)
                switch generator.number(0...9) {
                case 0...2: try fixture.execute(Self.statement(step, &generator))
                case 3...5:
                    try self.pull(&clients[index], fixture, limit: generator.number(1...40))
                    let sql = (0..<generator.number(1...3)).map { _ in
                        Self.statement(step, &generator)
                    }
                    let frames = try self.write(sql, on: &clients[index])
                    if !frames.isEmpty { try self.push(frames, fixture) }
                    try self.checkSame(clients[index], fixture, "step \(step)")
                case 6:
                    reader?.end()
                    reader = nil
                    if generator.chance(2) {
                        reader = try HeldReader(self.database(fixture), "SELECT id FROM t")
                    }
                case 7:
                    reader?.end()
                    reader = nil
                    try fixture.reopen()
                case 8 where generator.chance(3): _ = try self.roll(fixture)
                default:
                    try self.pull(&clients[index], fixture, limit: generator.number(1...40))
                    try self.checkSame(clients[index], fixture, "step \(step)")
                }
            }
        }
    }

    /// What a crash at any operation leaves serves the same frames, up to the newest commit.
    func testEveryCrashLeavesTheFramesThatWereThere() {
        forEachSeed(count: 2) { generator in
            let fixture = try self.makeFixture(minimumFrameCount: 9)
            defer { fixture.tearDown() }
            var client = try self.begin(fixture)
            let recorder = try CrashImages(
                root: URL(fileURLWithPath: fixture.directory).resolvingSymlinksInPath().path,
                generator: SeededGenerator(seed: generator.next()), perName: 0, oneIn: 7)
            var acknowledged = [try self.database(fixture).head.revision.commit]
            var contents = [acknowledged[0]: client.image]
            recorder.mark = 1
            recorder.begin()
            defer { recorder.end() }
            for step in 0..<14 {
                let before = try self.database(fixture).head.revision.commit
                if generator.chance(2) {
                    try fixture.execute(Self.statement(step, &generator))
                } else {
                    try self.pull(&client, fixture)
                    let frames = try self.write(
                        [Self.statement(step, &generator)], on: &client)
                    if !frames.isEmpty { try self.push(frames, fixture) }
                }
                let head = try self.database(fixture).head.revision.commit
                if head > before {
                    contents[head] = try fixture.image(of: self.database(fixture).snapshot())
                    acknowledged.append(head)
                    recorder.mark = acknowledged.count
                }
                if step == 9 { _ = try self.roll(fixture) }
            }
            recorder.end()
            try require(recorder.images.count > 5, "only \(recorder.images.count) images")
            for (index, image) in recorder.images.enumerated() {
                do {
                    try self.check(image, acknowledged, contents)
                } catch {
                    throw Mismatch("image \(index), \(image.moment): \(error)")
                }
            }
        }
    }

    private func check(
        _ crash: CrashImages.Image, _ acknowledged: [CommitNumber],
        _ contents: [CommitNumber: [UInt8]]
    ) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try crash.disk.write(to: folder.path)
        let fixture = try StorageFixture(directory: folder.path)
        defer { fixture.tearDown() }
        let database = try database(fixture)
        let head = database.head.revision.commit
        try require(head >= acknowledged[crash.mark - 1], "an acknowledged commit is lost")
        guard let generation = database.frameGeneration else {
            throw Mismatch("the generation is gone")
        }
        try require(generation.number <= 2, "generation \(generation.number)")
        var client = Client(
            image: try fixture.image(of: database.generationBase(generation.number)),
            generation: generation.number, lastFrame: 0)
        var commit = generation.base.commit
        try require(contents[commit].map { $0 == client.image } ?? true, "the base")
        while let frames = try frames(
            fixture, generation.number, from: client.lastFrame + 1, limit: 1)
        {
            client.apply(frames)
            commit = commit.next
            try require(
                contents[commit].map { $0 == client.image } ?? true,
                "the frames of commit \(commit.rawValue)")
        }
        try require(commit == head, "frames reach to \(commit.rawValue), not \(head.rawValue)")
        try checkSame(client, fixture, "after the crash")
        let pushed = try write(["INSERT INTO t (v) VALUES (randomblob(9000))"], on: &client)
        try push(pushed, fixture)
        try checkSame(client, fixture, "life goes on")
        try fixture.reopen()
        try checkSame(client, fixture, "and on")
    }

    private static func statement(_ step: Int, _ generator: inout SeededGenerator) -> String {
        let size = generator.number(1...6000)
        switch generator.number(0...9) {
        case 0: return "DELETE FROM t WHERE id % \(generator.number(2...5)) = 1"
        case 1: return "VACUUM"
        case 2: return "CREATE TABLE IF NOT EXISTS u\(generator.number(0...3)) (a UNIQUE, b)"
        case 3: return "DROP TABLE IF EXISTS u\(generator.number(0...3))"
        case 4:
            return "UPDATE t SET v = zeroblob(\(size)) WHERE id % 4 = \(generator.number(0...3))"
        case 5: return "BEGIN; INSERT INTO t (v) VALUES (1); UPDATE t SET v = 2; ROLLBACK"
        default: return "INSERT INTO t (v) VALUES (randomblob(\(size))), (\(step))"
        }
    }
}
