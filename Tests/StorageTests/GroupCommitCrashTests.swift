import Foundation
import Primitives
import SQLite
import Synchronization
import TestSupport
import XCTest

@testable import Storage

/// Several commits in flight when the power goes, or the disk fails: what was acknowledged, and what
/// an answer to SQL or a pull has shown, is there; what is there is a whole prefix of the commits.
///
/// Each commit inserts one row, numbered from 1, so a commit's number tells how many rows there are.
final class GroupCommitCrashTests: XCTestCase {
    func testPowerCutsAtAnyOperationOfABurst() {
        var failureCount = 0
        forEachSeed(count: 3, oneIn: 20) { generator in
            let folder = try TemporaryFolder(inMemory: true)
            defer { folder.remove() }
            let fixture = try StorageFixture(directory: folder.file("data"))
            defer { fixture.tearDown() }
            try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
            let base = try fixture.acquire().database.head.revision.commit.rawValue
            let recorder = try CrashImages(
                root: folder.path, generator: SeededGenerator(seed: generator.next()),
                perName: 3, oneIn: 6)
            recorder.begin()
            let bursts = Bursts(
                fixture, recorder, base: base, generator: SeededGenerator(seed: generator.next()))
            defer { recorder.end() }
            for number in 0..<12 {
                if number % 4 == 3 {
                    _ = try fixture.checkpoint(number % 8 == 3 ? .passive : .truncate)
                }
                let failing = generator.chance(3) ? generator.number(1...2) : nil
                try bursts.run(failing: failing)
            }
            recorder.end()
            try require(bursts.largestGroup > 2, "no more than two commits were pending")
            failureCount += bursts.failureCount
            try require(recorder.images.count > 30, "only \(recorder.images.count) images")
            for image in recorder.images {
                do { try Self.check(image, base: base) } catch {
                    throw Mismatch("\(image.moment), \(image.mark) rows: \(error)")
                }
            }
        }
        XCTAssertGreaterThan(failureCount, 0, "no flush failed")
    }

    private static func check(_ image: CrashImages.Image, base: UInt64) throws {
        let folder = try TemporaryFolder(inMemory: true)
        defer { folder.remove() }
        try image.disk.write(to: folder.path)
        let fixture = try StorageFixture(directory: folder.file("data"))
        defer { fixture.tearDown() }
        let count = try fixture.query("SELECT count(*) FROM t") ?? -1
        try require(count >= image.mark, "\(count) rows are left")
        try require(
            try fixture.query("SELECT coalesce(max(id), 0) FROM t") == count, "a row is missing")
        let database = try fixture.acquire().database
        try require(
            database.head.revision.commit.rawValue == base + UInt64(count), "the head's number")
        try fixture.withImage(fixture.image(of: database.snapshot())) { connection in
            try require(
                try connection.queryText("PRAGMA integrity_check") == "ok", "integrity_check")
        }
        try fixture.execute("INSERT INTO t VALUES (\(count + 1), 1)")
    }
}

/// Writers that do not wait for each other, and readers meanwhile.
private final class Bursts: @unchecked Sendable {
    // @unchecked: `run` is called by one thread; `state` is guarded by its condition.

    private struct State {
        /// Jobs of this burst that SQLite has committed.
        var committedCount = 0
        /// Flushes wait until so many are.
        var jobCount = 0
        var generator: SeededGenerator
        var flushCount = 0
        /// The flush of this burst that fails, from 1 on.
        var failing: Int?
        var hasFailed = false
        var answers: [Int] = []
    }

    private let fixture: StorageFixture
    private let recorder: CrashImages
    private let base: UInt64
    private let condition = NSCondition()
    private var state: State
    private var rowCount = 0
    /// Commits that were pending at the same time.
    private(set) var largestGroup = 0
    private(set) var failureCount = 0

    init(
        _ fixture: StorageFixture, _ recorder: CrashImages, base: UInt64,
        generator: SeededGenerator
    ) {
        self.fixture = fixture
        self.recorder = recorder
        self.base = base
        state = State(generator: generator)
        let record = FileOperationHook.handler!
        FileOperationHook.handler = { [self] event in
            if event.name == "flush commit" { hold() }
            return record(event)
        }
    }

    /// A flush begins when some more jobs have committed.
    private func hold() {
        condition.withLock {
            state.flushCount += 1
            if state.flushCount == state.failing {
                state.hasFailed = true
                recorder.fail("flush commit", .fails(EIO))
            }
            let left = state.jobCount - state.committedCount
            let target = state.committedCount + (left > 0 ? state.generator.number(0...left) : 0)
            while state.committedCount < target { condition.wait() }
            largestGroup = max(largestGroup, state.committedCount - state.answers.count)
        }
    }

    /// - Parameter failing: the flush that fails, from 1 on, if there are so many.
    func run(failing: Int?) throws {
        // One that failed opens again when the last of those who used it has gone.
        var opened: DatabaseLease?
        fixture.wait(for: "the database") {
            opened = try? fixture.acquire()
            return opened != nil
        }
        guard let lease = opened else { throw Mismatch("the database stays closed") }
        let count = condition.withLock {
            state.jobCount = state.generator.number(2...6)
            state.committedCount = 0
            state.flushCount = 0
            state.failing = failing
            state.hasFailed = false
            state.answers = []
            return state.jobCount
        }
        let group = DispatchGroup()
        for offset in 1...count {
            group.enter()
            insert(rowCount + offset, lease.database, group)
            if offset % 2 == 0 { read(lease.database, group) }
        }
        group.wait()
        let (answers, hasFailed) = condition.withLock { (state.answers, state.hasFailed) }
        try require(
            answers == Array(rowCount + 1..<rowCount + 1 + answers.count),
            "answers \(answers) behind row \(rowCount)")
        if hasFailed {
            failureCount += 1
            try require(answers.count < count, "a flush failed, and all was acknowledged")
        } else {
            try require(answers.count == count, "\(answers.count) of \(count) commits")
        }
        rowCount += answers.count
        try require(
            lease.database.head.revision.commit.rawValue == base + UInt64(rowCount), "the head")
    }

    private func insert(_ row: Int, _ database: Database, _ group: DispatchGroup) {
        let size = condition.withLock { state.generator.number(1...9000) }
        database.write(
            { [self] session throws(StorageError) in
                defer {
                    condition.withLock {
                        state.committedCount += 1
                        condition.broadcast()
                    }
                }
                try session.prepareToWrite()
                do throws(SQLiteError) {
                    // Rows of commits that were lost are missing, so the number is SQLite's.
                    try session.connection.execute("INSERT INTO t (v) VALUES (randomblob(\(size)))")
                } catch { throw .sqlite(error) }
                return Int(session.connection.lastInsertRowID)
            },
            completion: { [self] result in
                if case .success(let row) = result {
                    show(row)
                    condition.withLock { state.answers.append(row) }
                }
                group.leave()
            })
    }

    /// What SQL and what a pull show, at once.
    private func read(_ database: Database, _ group: DispatchGroup) {
        group.enter()
        database.read(
            { connection in
                (try? connection.queryInteger("SELECT max(id) FROM t")).flatMap { $0 } ?? 0
            },
            completion: { [self] result in
                if case .success(let row) = result { show(Int(row)) }
                group.leave()
            })
        guard let snapshot = try? database.snapshot() else { return }
        show(Int(snapshot.revision.commit.rawValue - base))
    }

    private func show(_ row: Int) {
        condition.withLock { recorder.mark = max(recorder.mark, row) }
    }
}
