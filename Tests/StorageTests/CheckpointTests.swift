import Foundation
import Primitives
import SQLite
import TestSupport
import XCTest

@testable import Storage

/// When checkpoints run, what each mode leaves, and what becomes of readers in their way.
final class CheckpointTests: XCTestCase {
    private let clock = ManualClock()

    /// No tier is due on its own, and nobody is waited for.
    private func makeFixture(
        _ change: (inout StorageOptions) -> Void = { _ in }
    ) throws -> StorageFixture {
        var options = StorageOptions()
        options.minCheckpointPageCount = 1_000_000
        options.truncatePageCount = 0
        options.checkpointInterval = .zero
        options.checkpointWait = .zero
        options.monotonicClock = clock.clock
        change(&options)
        let fixture = try StorageFixture(options: options)
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        return fixture
    }

    /// Needs some thousand instructions behind its first row.
    private static let longQuery = "SELECT t.id FROM generate_series(1, 100000), t"

    private static let insert = "INSERT INTO t (v) VALUES (randomblob(9000))"

    private func walBytes(_ fixture: StorageFixture) throws -> Int64 {
        try fixture.acquire().database.statistics().walBytes
    }

    private func lastCheckpoint(_ fixture: StorageFixture) throws -> CheckpointRecord? {
        let database = try fixture.acquire().database
        fixture.drainWriter(database)
        return try database.statistics().lastCheckpoint
    }

    private func writeUntilACheckpoint(_ fixture: StorageFixture) throws {
        try fixture.wait(for: "a checkpoint") {
            try fixture.execute(Self.insert)
            return try lastCheckpoint(fixture) != nil
        }
    }

    // MARK: modes

    func testEveryModeAnswersAsSQLiteDoes() throws {
        for mode in CheckpointMode.allCases {
            let fixture = try makeFixture()
            defer { fixture.tearDown() }
            try fixture.execute(Self.insert)
            let frames = try fixture.acquire().database.statistics().walFrameCount
            XCTAssertGreaterThan(frames, 3)
            let expected = mode == .truncate ? 0 : frames
            for _ in 0..<2 {
                XCTAssertEqual(
                    try fixture.checkpoint(mode),
                    CheckpointResult(
                        isBusy: false, walFrameCount: expected, checkpointedFrameCount: expected),
                    "\(mode)")
                XCTAssertEqual(try fixture.acquire().database.statistics().walFrameCount, 0)
                XCTAssertEqual(try walBytes(fixture) == 0, mode == .truncate, "\(mode)")
            }
            try fixture.execute(Self.insert)
            XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 2)
        }
    }

    func testReadersInTheWayAreAnAnswer() throws {
        for mode in CheckpointMode.allCases {
            let fixture = try makeFixture()
            defer { fixture.tearDown() }
            try fixture.execute(Self.insert)
            let database = try fixture.acquire().database
            let reader = try HeldReader(database, "SELECT id FROM t")
            try fixture.execute(Self.insert)
            let result = try fixture.checkpoint(mode)
            XCTAssertEqual(result.isBusy, mode != .passive, "\(mode)")
            XCTAssertLessThan(result.checkpointedFrameCount, result.walFrameCount, "\(mode)")
            let record = try XCTUnwrap(try lastCheckpoint(fixture))
            XCTAssertEqual(record.mode, mode)
            XCTAssertEqual(record.outcome, .incomplete)
            XCTAssertEqual(record.result, result)
            reader.end()
            XCTAssertFalse(try fixture.checkpoint(mode).isBusy)
            XCTAssertEqual(try lastCheckpoint(fixture)?.outcome, .complete)
            XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 2)
        }
    }

    /// The reader sees the newest commit, so all frames can be copied; but it needs the file.
    func testAReaderOfTheHeadKeepsTheFileOnly() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        try fixture.execute(Self.insert)
        let reader = try HeldReader(try fixture.acquire().database, "SELECT id FROM t")
        for mode in [CheckpointMode.passive, .full] {
            XCTAssertFalse(try fixture.checkpoint(mode).isBusy, "\(mode)")
            XCTAssertEqual(try lastCheckpoint(fixture)?.outcome, .complete)
        }
        for mode in [CheckpointMode.restart, .truncate] {
            let result = try fixture.checkpoint(mode)
            XCTAssertTrue(result.isBusy, "\(mode)")
            XCTAssertEqual(result.checkpointedFrameCount, result.walFrameCount)
            XCTAssertEqual(try lastCheckpoint(fixture)?.outcome, .incomplete)
        }
        // The WAL that it holds goes on, although it was recorded as spent.
        try fixture.execute(Self.insert)
        let head = try fixture.acquire().database.head.revision
        reader.end()
        try fixture.reopen()
        XCTAssertEqual(try fixture.acquire().database.head.revision, head)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 2)
    }

    func testATransactionIsNoPlaceForACheckpoint() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        XCTAssertThrowsError(
            try fixture.write(database) { session in
                try session.connection.execute("BEGIN")
                defer { try? session.connection.execute("ROLLBACK") }
                return try session.checkpoint(.passive)
            }
        ) { error in
            guard case StorageError.sqlite(let error)? = error as? StorageError else {
                return XCTFail("\(error)")
            }
            XCTAssertEqual(error.codeName, "SQLITE_LOCKED")
            XCTAssertEqual(error.message, "database table is locked")
        }
    }

    /// SQLite draws new salts where a connection finds an empty WAL.
    func testRevisionsGoOnAfterEveryMode() throws {
        for mode in CheckpointMode.allCases {
            for replacesWriter in [false, true] {
                let fixture = try makeFixture()
                defer { fixture.tearDown() }
                var known = [try fixture.acquire().database.head.revision]
                for round in 0..<3 {
                    try fixture.execute(Self.insert)
                    _ = try fixture.checkpoint(mode)
                    if replacesWriter { try fixture.replaceWriter() }
                    // The second time there is nothing to do, and nothing may be forgotten.
                    if round == 1 { _ = try fixture.checkpoint(mode) }
                    if round < 2 { try fixture.execute(Self.insert) }
                    known.append(try fixture.acquire().database.head.revision)
                    try fixture.reopen()
                    let database = try fixture.acquire().database
                    XCTAssertEqual(database.head.revision, known.last, "\(mode), \(round)")
                    for revision in known {
                        XCTAssertTrue(database.knows(revision), "\(mode), \(round)")
                    }
                }
                XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 5)
            }
        }
    }

    /// Random SQL and modes: snapshots and deltas are exact whatever moves underneath.
    func testModesInAnyOrderKeepSnapshotsAndDeltasExact() {
        forEachSeed(count: 6) { generator in
            let fixture = try self.makeFixture {
                $0.minCheckpointPageCount = generator.number(5...200)
                $0.truncatePageCount = generator.number(0...60)
            }
            defer { fixture.tearDown() }
            var kept: [(snapshot: Snapshot, image: [UInt8])] = []
            var base: (revision: Revision, image: [UInt8])?
            var reader: HeldReader?
            defer { reader?.end() }
            for _ in 0..<60 {
                try fixture.execute(Self.statement(&generator))
                let database = try fixture.acquire().database
                if generator.chance(2) {
                    let mode = CheckpointMode.allCases[generator.number(0...3)]
                    _ = try fixture.checkpoint(mode)
                }
                if generator.chance(5) { try fixture.replaceWriter() }
                if generator.chance(6) {
                    reader?.end()
                    reader =
                        generator.chance(2) ? nil : try HeldReader(database, "SELECT id FROM t")
                }
                let snapshot = try database.snapshot()
                let image = try fixture.image(of: snapshot)
                if let base {
                    let pages = database.pages(
                        changedAfter: base.revision.commit, databaseSize: snapshot.databaseSize)
                    try require(
                        database.knows(base.revision)
                            && fixture.patched(base.image, pages, from: image) == image,
                        "the delta from commit \(base.revision.commit.rawValue)")
                }
                if base == nil || generator.chance(5) { base = (snapshot.revision, image) }
                kept.append((snapshot, image))
                if kept.count > 3 { kept.remove(at: generator.number(0...2)) }
                for entry in kept {
                    try require(fixture.image(of: entry.snapshot) == entry.image, "a snapshot")
                }
                if generator.chance(15) {
                    reader?.end()
                    reader = nil
                    kept = []
                    try fixture.reopen()
                }
            }
        }
    }

    private static func statement(_ generator: inout SeededGenerator) -> String {
        switch generator.number(0...7) {
        case 0: "DELETE FROM t WHERE id % \(generator.number(2...4)) = 0"
        case 1: "UPDATE t SET v = randomblob(\(generator.number(10...4000))) WHERE id % 3 = 1"
        case 2: "VACUUM"
        default: "INSERT INTO t (v) VALUES (randomblob(\(generator.number(1...9000))))"
        }
    }

    // MARK: tiers

    func testThePageCountIsAPassiveTier() throws {
        let fixture = try makeFixture { $0.minCheckpointPageCount = 8 }
        defer { fixture.tearDown() }
        try writeUntilACheckpoint(fixture)
        let record = try XCTUnwrap(try lastCheckpoint(fixture))
        XCTAssertEqual(record.mode, .passive)
        XCTAssertGreaterThanOrEqual(try XCTUnwrap(record.result).walFrameCount, 8)
        XCTAssertGreaterThan(try walBytes(fixture), 0)
    }

    func testALongFileIsTruncated() throws {
        let fixture = try makeFixture {
            $0.minCheckpointPageCount = 12
            $0.truncatePageCount = 30
        }
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        // It keeps the WAL from starting over, checkpoint by checkpoint.
        let reader = try HeldReader(database, "SELECT count(*) FROM t")
        try fixture.wait(for: "a long WAL") {
            try fixture.execute(Self.insert)
            return try database.statistics().walFrameCount >= 40
        }
        XCTAssertEqual(try lastCheckpoint(fixture)?.mode, .truncate)
        XCTAssertEqual(try lastCheckpoint(fixture)?.outcome, .incomplete)
        reader.end()
        try fixture.wait(for: "the truncation") {
            try fixture.execute(Self.insert)
            fixture.drainWriter(database)
            return try walBytes(fixture) == 0
        }
        XCTAssertEqual(try lastCheckpoint(fixture)?.outcome, .complete)
        XCTAssertEqual(
            try lastCheckpoint(fixture)?.result,
            CheckpointResult(isBusy: false, walFrameCount: 0, checkpointedFrameCount: 0))
    }

    func testTheIntervalChecksWhatWasWrittenAndThenLetsGo() throws {
        let fixture = try makeFixture { $0.checkpointInterval = .seconds(60) }
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        try fixture.execute(Self.insert)
        fixture.drainWriter(database)
        XCTAssertEqual(clock.timerCount, 1, "one for all commits")
        clock.advance(by: .seconds(59))
        XCTAssertNil(try lastCheckpoint(fixture))
        clock.advance(by: .seconds(1))
        XCTAssertEqual(try lastCheckpoint(fixture)?.outcome, .complete)
        XCTAssertEqual(try lastCheckpoint(fixture)?.mode, .passive)
        // Idle: nothing is left that could wake it.
        XCTAssertEqual(clock.timerCount, 0)
        _ = try fixture.query("SELECT count(*) FROM t")
        fixture.drainWriter(database)
        XCTAssertEqual(clock.timerCount, 0)
    }

    func testATimerOutlivesNoDatabase() throws {
        let fixture = try makeFixture { $0.checkpointInterval = .seconds(60) }
        defer { fixture.tearDown() }
        try fixture.execute(Self.insert)
        fixture.drainWriter(try fixture.acquire().database)
        weak let database = try fixture.acquire().database
        fixture.close()
        fixture.wait(for: "the end of the database, which the timer does not keep") {
            database == nil
        }
        XCTAssertEqual(clock.timerCount, 1)
        clock.advance(by: .seconds(60))
        try fixture.open()
        XCTAssertNil(try lastCheckpoint(fixture))
    }

    /// A database that closes is not looked at by a timer that fires before it is gone.
    func testATimerThatFiresAtAClosedDatabaseDoesNothing() throws {
        let fixture = try makeFixture { $0.checkpointInterval = .seconds(60) }
        defer { fixture.tearDown() }
        try fixture.execute(Self.insert)
        let database = try fixture.acquire().database
        fixture.drainWriter(database)
        fixture.close()
        let files = ["meta", "main.db", "main.db-wal"]
        let before = try files.map { try Data(contentsOf: fixture.file($0)) }
        clock.advance(by: .seconds(60))
        fixture.drainWriter(database)
        XCTAssertEqual(try files.map { try Data(contentsOf: fixture.file($0)) }, before)
    }

    // MARK: readers

    func testAReaderThatHoldsUpACheckpointForTooLongIsEnded() throws {
        let fixture = try makeFixture { $0.minCheckpointPageCount = 8 }
        defer { fixture.tearDown() }
        try fixture.execute("INSERT INTO t (v) VALUES (1), (2)")
        let database = try fixture.acquire().database
        let reader = try HeldReader(database, Self.longQuery)
        try writeUntilACheckpoint(fixture)
        XCTAssertEqual(try lastCheckpoint(fixture)?.outcome, .incomplete)
        clock.advance(by: .seconds(31))
        let error = try XCTUnwrap(reader.end())
        XCTAssertEqual((error as? SQLiteError)?.codeName, "SQLITE_INTERRUPT")
        XCTAssertTrue(reader.wasStopped)
        // Without another write.
        try fixture.wait(for: "the checkpoint to go on") {
            try lastCheckpoint(fixture)?.outcome == .complete
        }
        XCTAssertEqual(try database.statistics().walFrameCount, 0)
    }

    func testOtherReadersTakeTheirTime() throws {
        let rows: [(limit: Duration, wait: Duration, isHeldUp: Bool)] = [
            (.seconds(30), .seconds(29), true), (.seconds(30), .seconds(3600), false),
            (.zero, .seconds(3600), true),
        ]
        for row in rows {
            let fixture = try makeFixture {
                $0.minCheckpointPageCount = 8
                $0.maxSnapshotAge = row.limit
            }
            defer { fixture.tearDown() }
            try fixture.execute("INSERT INTO t (v) VALUES (1), (2)")
            let database = try fixture.acquire().database
            let reader = try HeldReader(database, Self.longQuery)
            if row.isHeldUp {
                try writeUntilACheckpoint(fixture)
            }
            clock.advance(by: row.wait)
            XCTAssertNil(reader.end(), "\(row)")
            XCTAssertFalse(reader.wasStopped)
        }
    }
}

extension StorageFixture {
    func checkpoint(_ mode: CheckpointMode) throws -> CheckpointResult {
        let lease = try acquire()
        let box = Box<Result<CheckpointResult, StorageError>>()
        lease.database.checkpoint(mode) { box.set($0) }
        let result = try box.wait().get()
        drainWriter(lease.database)
        return result
    }

    /// What a client that left settings behind brings about.
    func replaceWriter() throws {
        try write(acquire().database) { try $0.replaceConnection() }
    }

    /// Asks again and again for what shows in answers only.
    func wait(
        for what: String, file: StaticString = #filePath, line: UInt = #line,
        until condition: () throws -> Bool
    ) rethrows {
        let deadline = ContinuousClock.now + .seconds(20)
        while try !condition() {
            guard ContinuousClock.now < deadline else {
                return XCTFail("waited in vain: \(what)", file: file, line: line)
            }
        }
    }

    func file(_ name: String) -> URL { URL(fileURLWithPath: path(.default, name)) }
}
