import Foundation
import Primitives
import SQLite
import Synchronization
import XCTest

@testable import Storage

/// Full and faulty disks: what was acknowledged stays, what was refused is gone, and the database
/// works again when the disk does.
final class DiskFailureTests: XCTestCase {
    private func makeFixture(minCheckpointPageCount: Int = 1000) throws -> StorageFixture {
        var options = StorageOptions()
        options.minCheckpointPageCount = minCheckpointPageCount
        let fixture = try StorageFixture(options: options)
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        return fixture
    }

    override func tearDown() { FileOperationHook.handler = nil }

    /// Fails `times` operations on files whose names end in `name`, after the first `count`.
    private func fail(
        _ name: String, with code: Int32, after count: Int = 0, times: Int = .max / 2,
        synchronizeOnly: Bool = false
    ) {
        let seen = Counter()
        FileOperationHook.handler = { event in
            guard event.path.hasSuffix(name) else { return .goesOn }
            if synchronizeOnly {
                guard case .synchronize = event.operation else { return .goesOn }
            }
            return (count..<count + times).contains(seen.next() - 1) ? .fails(code) : .goesOn
        }
    }

    func testACommitWhoseFlushFailsIsGoneAndTheDatabaseReopens() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        try fixture.execute("INSERT INTO t (v) VALUES (1)")
        let failed = try fixture.acquire().database
        let before = failed.head.revision
        fail("-wal", with: EIO, times: 1, synchronizeOnly: true)
        XCTAssertThrowsError(try fixture.execute("INSERT INTO t (v) VALUES (2)"))
        fixture.drainWriter(failed)
        FileOperationHook.handler = nil
        try fixture.execute("INSERT INTO t (v) VALUES (3)")
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t WHERE v = 2"), 0)
        let database = try fixture.acquire().database
        XCTAssertEqual(database.head.revision.commit, before.commit.next)
        XCTAssertTrue(database.knows(before))
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 2)
    }

    /// The frames of the failed commit are the first ones of a WAL that started over, in front of
    /// where the last good commit ended in its life before.
    func testACommitWhoseFlushFailsAtTheStartOfAWALIsGone() throws {
        for failing in 1...2 {
            let fixture = try makeFixture(minCheckpointPageCount: 5)
            defer { fixture.tearDown() }
            try fixture.execute("INSERT INTO t (v) VALUES (randomblob(40000))")
            let database = try fixture.acquire().database
            fixture.drainWriter(database)
            XCTAssertEqual(try database.statistics().walFrameCount, 0, "checkpointed")
            let before = database.head.revision
            // The first flush is that of the new header.
            fail("-wal", with: EIO, after: failing - 1, times: 1, synchronizeOnly: true)
            XCTAssertThrowsError(try fixture.execute("INSERT INTO t (v) VALUES (2)"))
            fixture.drainWriter(database)
            FileOperationHook.handler = nil
            XCTAssertEqual(try fixture.query("SELECT count(*) FROM t WHERE v = 2"), 0)
            XCTAssertEqual(try fixture.acquire().database.head.revision, before)
            try fixture.execute("INSERT INTO t (v) VALUES (3)")
            let after = try fixture.acquire().database.head.revision
            try fixture.reopen()
            let reopened = try fixture.acquire().database
            XCTAssertEqual(reopened.head.revision, after)
            XCTAssertTrue(reopened.knows(before), "the lineage goes on")
            XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 2)
        }
    }

    func testADatabaseWhoseTailCannotBeCutOffStaysClosed() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        fail("-wal", with: EIO, after: 1)
        let database = try fixture.acquire().database
        XCTAssertThrowsError(try fixture.execute("INSERT INTO t (v) VALUES (2)"))
        fixture.drainWriter(database)
        XCTAssertThrowsError(try fixture.query("SELECT 1"))
        FileOperationHook.handler = nil
        XCTAssertThrowsError(try fixture.query("SELECT 1"))
        try fixture.store.create(DatabaseName("other")!)
        try fixture.execute("CREATE TABLE x (a)", on: DatabaseName("other")!)
        try fixture.reopen()
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
    }

    func testAFullDiskRefusesTheCommitAndNothingElse() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        let before = database.head.revision
        for count in 0..<4 {
            fail("-wal", with: ENOSPC, after: count)
            XCTAssertThrowsError(try fixture.execute("INSERT INTO t (v) VALUES (randomblob(9000))"))
            FileOperationHook.handler = nil
            XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
            XCTAssertEqual(database.head.revision, before)
        }
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(9000))")
        XCTAssertEqual(database.head.revision.commit, before.commit.next)
        try fixture.reopen()
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 1)
    }

    /// A checkpoint that fails anywhere loses nothing, and snapshots keep what they saw.
    func testCheckpointsThatFailAnywhereLoseNothing() throws {
        for name in ["main.db", "meta", "changes", "history"] {
            for code in [ENOSPC, EIO] {
                for count in 0..<3 {
                    try checkFailingCheckpoint(name, code, count)
                }
            }
        }
    }

    private func checkFailingCheckpoint(_ name: String, _ code: Int32, _ count: Int) throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(20000)), (randomblob(5000))")
        fixture.close()
        fixture.options.minCheckpointPageCount = 4
        try fixture.open()
        let message = "\(name), \(code), \(count)"
        try fixture.execute("INSERT INTO t (v) VALUES (1)")
        // That commit ran a checkpoint. The next one has a snapshot to save images for.
        let database = try fixture.acquire().database
        let snapshot = try database.snapshot()
        let image = try fixture.image(of: snapshot)
        fail("default/" + name, with: code, after: count)
        let commits = Counter()
        for _ in 0..<3 {
            if (try? fixture.execute("UPDATE t SET v = randomblob(length(v) + 1)")) != nil {
                _ = commits.next()
            }
        }
        fixture.drainWriter(database)
        FileOperationHook.handler = nil
        if let found = try? fixture.image(of: snapshot) {
            XCTAssertEqual(found == image, true, message)
        } else {
            XCTAssertEqual(code, EIO, "only a failed flush closes the database: \(message)")
        }
        snapshot.release()
        try fixture.execute("UPDATE t SET v = randomblob(length(v) + 1)")
        let expected = 1 + 1 + commits.value
        XCTAssertEqual(
            try fixture.query("SELECT length(v) FROM t WHERE id = 3"), Int64(expected), message)
        try fixture.reopen()
        let reopened = try fixture.acquire().database
        XCTAssertTrue(reopened.knows(snapshot.revision), message)
        let head = try reopened.snapshot()
        let content = try fixture.image(of: head)
        let pages = reopened.pages(
            changedAfter: snapshot.revision.commit, databaseSize: head.databaseSize)
        XCTAssertEqual(fixture.patched(image, pages, from: content) == content, true, message)
        try fixture.withImage(content) { connection in
            XCTAssertEqual(try connection.queryText("PRAGMA integrity_check"), "ok", message)
        }
    }

    /// The same for one that empties the WAL, and the first commits behind it.
    func testTruncationsThatFailAnywhereLoseNothing() throws {
        for name in ["main.db", "main.db-wal", "meta", "changes"] {
            for code in [ENOSPC, EIO] {
                for count in 0..<4 {
                    try checkFailingTruncation("default/" + name, code, count)
                }
            }
        }
    }

    private func checkFailingTruncation(_ name: String, _ code: Int32, _ count: Int) throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let message = "\(name), \(code), \(count)"
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(20000))")
        let failing = try fixture.acquire().database
        var known = [failing.head.revision]
        fail(name, with: code, after: count)
        _ = try? fixture.checkpoint(.truncate)
        if (try? fixture.execute("INSERT INTO t (v) VALUES (randomblob(2000))")) != nil {
            known.append(failing.head.revision)
        }
        fixture.drainWriter(failing)
        FileOperationHook.handler = nil
        // A new connection, which finds the WAL empty where the failure came later.
        try fixture.replaceWriter()
        try fixture.execute("INSERT INTO t (v) VALUES (1)")
        known.append(try fixture.acquire().database.head.revision)
        for _ in 0..<2 {
            try fixture.reopen()
            let database = try fixture.acquire().database
            XCTAssertEqual(database.head.revision, known.last, message)
            for revision in known { XCTAssertTrue(database.knows(revision), message) }
            XCTAssertEqual(
                try fixture.query("SELECT count(*) FROM t"), Int64(known.count), message)
            _ = try fixture.checkpoint(.truncate)
        }
    }

    func testADatabaseThatCannotBeOpenedLeavesTheOthersAlone() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let bad = DatabaseName("bad")!
        for file in ["meta", "main.db", "changes", "rejected", "main.db-wal", "history"] {
            try fixture.store.create(bad)
            let path = fixture.path(bad, file)
            try? FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false)
            for _ in 0..<2 { XCTAssertThrowsError(try fixture.acquire(bad), file) }
            XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
            try FileManager.default.removeItem(atPath: path)
            let box = Box<StorageError?>()
            fixture.store.delete(bad) { box.set($0) }
            XCTAssertNil(box.wait(), file)
        }
    }

    func testACorruptMetaFileIsAnErrorThatNamesIt() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        fixture.close()
        try Data(repeating: 0, count: 8192).write(
            to: URL(fileURLWithPath: fixture.path(.default, "meta")))
        try fixture.open()
        XCTAssertThrowsError(try fixture.acquire()) { error in
            guard case StorageError.corruptFile(let path, _)? = error as? StorageError else {
                return XCTFail("\(error)")
            }
            XCTAssertTrue(path.hasSuffix("default/meta"))
        }
    }
}

/// Counts calls from any thread.
final class Counter: Sendable {
    private let count = Atomic(0)
    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
    var value: Int { count.load(ordering: .relaxed) }
}
