import Dispatch
import Foundation
import Primitives
import SQLite
import Synchronization
import XCTest

@testable import Storage

/// Commits that wait for a flush under way: who sees them, who is answered, and in which order.
final class GroupCommitTests: XCTestCase {
    private var fixture: StorageFixture!
    private var lease: DatabaseLease!
    private var database: Database { lease.database }

    override func setUpWithError() throws {
        fixture = try StorageFixture()
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        lease = try fixture.acquire()
    }

    override func tearDown() {
        HeldFlush.stop()
        lease = nil
        fixture.tearDown()
    }

    /// Answers in the order in which they came.
    private final class Answers: Sendable {
        private let values = Mutex<[String]>([])
        private let came = DispatchSemaphore(value: 0)

        func add(_ name: String, _ result: Result<Void, StorageError>) {
            let isFine = if case .success = result { true } else { false }
            values.withLock { $0.append(isFine ? name : name + " failed") }
            came.signal()
        }

        var all: [String] { values.withLock { $0 } }

        func await(_ count: Int) -> [String] {
            for _ in 0..<count { came.wait() }
            return all
        }
    }

    /// Begins a commit, and returns once SQLite has made it and its answer waits.
    private func commit(_ sql: String, _ name: String, _ answers: Answers) {
        begin(sql, name, answers)
        awaitWriter()
    }

    private func begin(_ sql: String, _ name: String, _ answers: Answers) {
        database.write(
            { session throws(StorageError) in
                try session.prepareToWrite()
                do throws(SQLiteError) { try session.connection.execute(sql) } catch {
                    throw .sqlite(error)
                }
            }, completion: { answers.add(name, $0) })
    }

    /// Returns when the writer has ended the jobs before; it may be refused.
    private func awaitWriter() {
        let isNext = DispatchSemaphore(value: 0)
        database.write(
            { _ in isNext.signal() },
            completion: { result in if case .failure = result { isNext.signal() } })
        isNext.wait()
    }

    private func insert(_ id: Int, _ answers: Answers) {
        commit("INSERT INTO t VALUES (\(id), randomblob(300))", "\(id)", answers)
    }

    /// Begins three commits, of which the flush under way covers the first.
    private func beginThree(_ answers: Answers) -> HeldFlush {
        let disk = HeldFlush(fixture.directory)
        insert(1, answers)
        disk.awaitBegin()
        insert(2, answers)
        insert(3, answers)
        return disk
    }

    func testOneFlushCoversAllCommitsBeforeItAndNothingIsShownBefore() throws {
        _ = try database.beginFrameSync()
        let head = database.head
        let image = try fixture.image(of: database.snapshot())
        let answers = Answers()
        let woken = DispatchSemaphore(value: 0)
        let disk = beginThree(answers)

        XCTAssertNotNil(
            database.whenHead(differsFrom: head.revision.commit) { woken.signal() },
            "a long poll does not see what is pending")
        XCTAssertEqual(database.head.revision, head.revision)
        XCTAssertEqual(try database.statistics().revision, head.revision)
        XCTAssertEqual(database.frameGeneration?.lastFrame, 0)
        XCTAssertTrue(try fixture.image(of: database.snapshot()) == image)
        // SQLite shows its readers all three; their answers have to wait.
        let counted = DispatchSemaphore(value: 0)
        database.read(
            { connection in
                XCTAssertEqual(try? connection.queryInteger("SELECT count(*) FROM t"), 3)
                counted.signal()
                return ()
            }, completion: { answers.add("count", $0) })
        counted.wait()
        // The reader's lane has gone past the job that counted when it begins this one.
        XCTAssertEqual(answers.all, [])

        disk.release()
        disk.awaitBegin()
        XCTAssertEqual(answers.await(1), ["1"])
        woken.wait()
        XCTAssertEqual(database.head.revision.commit, head.revision.commit.next)
        XCTAssertEqual(database.waiterCount, 0)
        disk.end()
        XCTAssertEqual(answers.await(3), ["1", "2", "3", "count"])
        XCTAssertEqual(
            database.head.revision.commit.rawValue, head.revision.commit.rawValue + 3)
        XCTAssertEqual(disk.names.count { $0 == "flush commit" }, 2)
        HeldFlush.stop()
        let newest = try fixture.image(of: database.snapshot())
        try fixture.withImage(newest) {
            XCTAssertEqual(try $0.queryInteger("SELECT count(*) FROM t"), 3)
        }
    }

    func testAReadWithNothingPendingDoesNotWait() throws {
        let disk = HeldFlush(fixture.directory)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
        XCTAssertEqual(disk.names, [])
    }

    /// The commit of a job that wrote nothing depends on what it saw all the same.
    func testARefusalWaitsForWhatItIsBasedOn() throws {
        let answers = Answers()
        let disk = beginThree(answers)
        commit("INSERT INTO t VALUES (1, 2)", "duplicate", answers)
        disk.release()
        disk.awaitBegin()
        XCTAssertEqual(answers.await(1), ["1"])
        disk.end()
        XCTAssertEqual(answers.await(3), ["1", "2", "3", "duplicate failed"])
    }

    func testAFlushThatFailsTakesAllPendingCommitsWithIt() throws {
        let before = database.head.revision
        let answers = Answers()
        let disk = beginThree(answers)
        let poll = DispatchSemaphore(value: 0)
        XCTAssertNotNil(database.whenHead(differsFrom: before.commit) { poll.signal() })
        disk.end(.fails(EIO))
        XCTAssertEqual(answers.await(3), ["1 failed", "2 failed", "3 failed"])
        poll.wait()
        HeldFlush.stop()
        XCTAssertEqual(database.head.revision, before, "nothing of it was shown")
        XCTAssertThrowsError(try database.snapshot())
        lease = nil
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
        try fixture.execute("INSERT INTO t VALUES (4, 4)")
        lease = try fixture.acquire()
        let after = database.head.revision
        XCTAssertEqual(after.commit, before.commit.next)
        XCTAssertNotEqual(after.epoch, before.epoch, "its number has a new name")
        XCTAssertTrue(database.knows(before))
        lease = nil
        try fixture.reopen()
        XCTAssertEqual(try fixture.acquire().database.head.revision, after)
        XCTAssertEqual(try fixture.query("SELECT sum(id) FROM t"), 4)
    }

    /// The flush under way succeeds; a commit behind it finds a broken disk.
    func testAWriteThatFailsDuringAFlushTakesOnlyWhatIsNotCovered() throws {
        let before = database.head.revision
        let answers = Answers()
        let disk = HeldFlush(fixture.directory)
        insert(1, answers)
        disk.awaitBegin()
        insert(2, answers)
        let handler = FileOperationHook.handler!
        let hasFailed = DispatchSemaphore(value: 0)
        FileOperationHook.handler = { event in
            guard event.name == "write WAL frame page" else { return handler(event) }
            hasFailed.signal()
            return .fails(EIO)
        }
        begin("INSERT INTO t VALUES (3, 3)", "3", answers)
        hasFailed.wait()
        disk.end()
        XCTAssertEqual(answers.await(3), ["1", "2 failed", "3 failed"])
        HeldFlush.stop()
        XCTAssertEqual(database.head.revision.commit, before.commit.next)
        lease = nil
        XCTAssertEqual(try fixture.query("SELECT sum(id) FROM t"), 1)
        XCTAssertEqual(
            try fixture.acquire().database.head.revision.commit, before.commit.next)
    }

    func testACheckpointWaitsForTheFlush() throws {
        let answers = Answers()
        let disk = beginThree(answers)
        let box = Box<Result<CheckpointResult, StorageError>>()
        database.checkpoint(.truncate) { box.set($0) }
        disk.release()
        disk.awaitBegin()
        disk.end()
        XCTAssertTrue(try box.wait().get().isComplete)
        XCTAssertEqual(answers.await(3), ["1", "2", "3"])
        let names = disk.names
        let lastFlush = try XCTUnwrap(names.lastIndex(of: "end of flush"))
        let first = try XCTUnwrap(names.firstIndex(of: "write changes"))
        XCTAssertLessThan(lastFlush, first, "\(names)")
        XCTAssertFalse(names[..<lastFlush].contains { $0.contains("meta") })
    }

    /// What is durable of a generation or of settings speaks of durable commits only.
    func testRollsAndSettingsWaitForTheFlush() throws {
        _ = try database.beginFrameSync()
        let answers = Answers()
        let disk = beginThree(answers)
        let rolled = Box<Result<FrameGeneration, StorageError>>()
        database.write(
            { session throws(StorageError) in try session.rollGeneration() },
            completion: { rolled.set($0) })
        let changed = Box<Result<SettingsOutcome, StorageError>>()
        database.changeSettings(
            { settings, connection throws(SQLiteError) in
                XCTAssertEqual(try connection.queryInteger("SELECT count(*) FROM t"), 3)
                settings = Meta.Settings(rawValue: 1)
                return []
            }, completion: { changed.set($0) })
        disk.release()
        disk.awaitBegin()
        disk.end()
        let generation = try rolled.wait().get()
        _ = try changed.wait().get()
        XCTAssertEqual(generation.base.commit, database.head.revision.commit)
        let names = disk.names
        let lastFlush = try XCTUnwrap(names.lastIndex(of: "end of flush"))
        for name in ["write frames", "write generations rewrite", "write meta (settings)"] {
            XCTAssertLessThan(lastFlush, try XCTUnwrap(names.firstIndex(of: name)), name)
        }
    }

    func testClosingMakesDurableWhatIsPending() throws {
        let answers = Answers()
        let disk = beginThree(answers)
        let head = database.head.revision.commit.rawValue
        let group = DispatchGroup()
        lease = nil
        DispatchQueue.global().async(group: group) { [fixture] in fixture!.close() }
        disk.release()
        disk.awaitBegin()
        disk.end()
        group.wait()
        XCTAssertEqual(answers.await(3), ["1", "2", "3"])
        HeldFlush.stop()
        try fixture.open()
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 3)
        XCTAssertEqual(try fixture.acquire().database.head.revision.commit.rawValue, head + 3)
        lease = try fixture.acquire()
    }

    /// Refused changes are listed by the commit that they belong to, which may be pending.
    func testRefusedChangesBelongToTheirCommit() throws {
        let answers = Answers()
        let disk = beginThree(answers)
        database.write(
            { session throws(StorageError) in
                try session.prepareToWrite()
                try Self.pushWithARefusal("a", "INSERT INTO t VALUES (4, 4)", session)
                // One that changes nothing, and one that is repeated.
                try Self.pushWithARefusal("b", "SELECT 1", session)
                try Self.pushWithARefusal("a", "INSERT INTO t VALUES (5, 5)", session)
            }, completion: { answers.add("refused", $0) })
        awaitWriter()
        XCTAssertEqual(database.rejectedEntries().count, 0, "its commit is not durable")
        disk.release()
        disk.awaitBegin()
        disk.end(.fails(EIO))
        XCTAssertEqual(answers.await(4).suffix(3), ["2 failed", "3 failed", "refused failed"])
        HeldFlush.stop()
        lease = nil
        for id in 10..<20 { try fixture.execute("INSERT INTO t VALUES (\(id), 1)") }
        lease = try fixture.acquire()
        XCTAssertEqual(database.rejectedEntries().count, 0, "its commit never was")
        try fixture.write(database) { session in
            try session.prepareToWrite()
            try Self.pushWithARefusal("c", "INSERT INTO t VALUES (6, 6)", session)
            try Self.pushWithARefusal("d", "SELECT 1", session)
        }
        XCTAssertEqual(database.rejectedEntries().map(\.key).sorted(), ["c", "d"])
    }

    private static func pushWithARefusal(
        _ key: String, _ sql: String, _ session: WriterSession
    ) throws(StorageError) {
        do throws(SQLiteError) {
            try session.connection.execute("BEGIN IMMEDIATE; \(sql)")
        } catch { throw .sqlite(error) }
        let pending = try session.recordRejected([.init(key: key, payload: [123, 125])])
        do throws(SQLiteError) { try session.connection.execute("COMMIT") } catch {
            throw .sqlite(error)
        }
        session.resolveRejected(pending, committed: true)
    }
}
