import Foundation
import Primitives
import SQLite
import Synchronization
import TestSupport
import XCTest

@testable import Storage

final class ConcurrencyTests: XCTestCase {
    /// Every transaction gives all rows one value, on many pages; a torn view would show two.
    func testThreadsReadSnapshotsWhileWritersAndCheckpointsRun() throws {
        var options = StorageOptions()
        options.minCheckpointPageCount = 10
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        try fixture.execute(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, v BLOB);
            INSERT INTO t (n, v) SELECT 0, zeroblob(1500) FROM generate_series(1, 40);
            """)
        let lease = try fixture.acquire()
        let isOver = Atomic(false)
        let readCount = Counter()
        let failures = Mutex<[String]>([])
        let group = DispatchGroup()
        for _ in 0..<3 {
            DispatchQueue.global().async(group: group) {
                while !isOver.load(ordering: .relaxed) {
                    do {
                        try Self.readOnce(fixture, lease.database)
                        _ = readCount.next()
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                        return
                    }
                }
            }
        }
        for round in 1...150 {
            try fixture.execute(
                "UPDATE t SET n = \(round)"
                    + (round % 30 == 0 ? "; DELETE FROM t WHERE id % 9 = 0; VACUUM" : ""))
        }
        isOver.store(true, ordering: .relaxed)
        group.wait()
        XCTAssertEqual(failures.withLock { $0 }, [])
        XCTAssertGreaterThan(readCount.value, 3)
        XCTAssertEqual(try lease.database.statistics().snapshotCount, 0)
    }

    private static func readOnce(_ fixture: StorageFixture, _ database: Database) throws {
        let snapshot = try database.snapshot()
        let image = try fixture.image(of: snapshot)
        try fixture.withImage(image) { connection in
            try require(
                try connection.queryInteger("SELECT count(DISTINCT n) FROM t") == 1, "a torn view")
            try require(try connection.queryText("PRAGMA quick_check") == "ok", "quick_check")
        }
        try require(fixture.image(of: snapshot) == image, "a view that changes")
        snapshot.release()
    }

    /// Databases are opened, closed to make room, deleted and made again, all at once.
    func testManyThreadsAcquireMoreDatabasesThanMayBeOpen() throws {
        var options = StorageOptions()
        options.openDatabaseLimit = 2
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        let names = (0..<5).map { DatabaseName("db\($0)")! }
        for name in names {
            try fixture.store.create(name)
            try fixture.execute("CREATE TABLE t (a)", on: name)
        }
        let inserted = names.map { _ in Counter() }
        let failures = Mutex<[String]>([])
        let group = DispatchGroup()
        for thread in 0..<4 {
            DispatchQueue.global().async(group: group) {
                var generator = SeededGenerator(seed: UInt64(thread))
                for _ in 0..<60 {
                    let index = generator.number(0...4)
                    do {
                        if generator.chance(4) {
                            _ = try fixture.query("SELECT count(*) FROM t", on: names[index])
                        } else {
                            try fixture.execute("INSERT INTO t VALUES (1)", on: names[index])
                            _ = inserted[index].next()
                        }
                    } catch { failures.withLock { $0.append("\(error)") } }
                }
            }
        }
        DispatchQueue.global().async(group: group) {
            let name = DatabaseName("short-lived")!
            for _ in 0..<20 {
                do {
                    try fixture.store.create(name)
                    try fixture.execute("CREATE TABLE t (a)", on: name)
                    while true {
                        let box = Box<StorageError?>()
                        fixture.store.delete(name) { box.set($0) }
                        guard let error = box.wait() else { break }
                        // Another thread's request for room closes it just now.
                        guard case .databaseBusy = error else { throw error }
                    }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        group.wait()
        XCTAssertEqual(failures.withLock { $0 }, [])
        for (index, name) in names.enumerated() {
            XCTAssertEqual(
                try fixture.query("SELECT count(*) FROM t", on: name), Int64(inserted[index].value))
        }
    }

    /// A statement under way shares the wal-index: until it ends, the files are not let go.
    func testADatabaseIsClosedOnlyBehindItsReaders() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        let name = DatabaseName("busy")!
        try fixture.store.create(name)
        try fixture.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)", on: name)
        let lease = try fixture.acquire(name)
        let reader = try HeldReader(lease.database, "SELECT a FROM t")
        let isDeleted = Atomic(false)
        let box = Box<StorageError?>()
        fixture.store.delete(name) { error in
            isDeleted.store(true, ordering: .relaxed)
            box.set(error)
        }
        // The writer lane has gone past the closing job when this is refused.
        fixture.drainWriter(lease.database)
        XCTAssertFalse(isDeleted.load(ordering: .relaxed))
        XCTAssertThrowsError(try fixture.store.create(name), "the name is still taken")
        XCTAssertThrowsError(try fixture.acquire(name))
        reader.end()
        XCTAssertNil(box.wait())
        XCTAssertFalse(fixture.store.contains(name))
        XCTAssertEqual(
            try FileManager.default.contentsOfDirectory(atPath: fixture.directory + "/databases"),
            ["default"])
    }

    /// Closing waits for what is being opened, and lets nothing in afterwards.
    func testClosingTheStoreWhileDatabasesOpen() throws {
        for _ in 0..<10 {
            let fixture = try StorageFixture()
            let names = (0..<6).map { DatabaseName("db\($0)")! }
            for name in names { try fixture.store.create(name) }
            let store = fixture.store!
            let group = DispatchGroup()
            for name in names {
                group.enter()
                store.acquire(name) { _ in group.leave() }
            }
            store.close()
            group.wait()
            let box = Box<Bool>()
            store.acquire(names[0]) { result in
                if case .failure(.closed) = result { box.set(true) } else { box.set(false) }
            }
            XCTAssertTrue(box.wait())
            // All locks are free again, and nothing is registered any more.
            try fixture.open()
            for name in names { _ = try fixture.acquire(name) }
            fixture.tearDown()
        }
    }

    func testWaitersAreWokenByCommitsAndClosing() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (a)")
        let database = try fixture.acquire().database
        let head = database.head.revision.commit
        let woken = DispatchSemaphore(value: 0)
        XCTAssertNil(database.whenHead(differsFrom: CommitNumber(1)) { XCTFail("it differs") })
        XCTAssertNotNil(database.whenHead(differsFrom: head) { woken.signal() })
        let cancelled = try XCTUnwrap(
            database.whenHead(differsFrom: head) { XCTFail("it was cancelled") })
        XCTAssertTrue(database.cancelWaiter(cancelled))
        XCTAssertFalse(database.cancelWaiter(cancelled))
        XCTAssertEqual(database.waiterCount, 1)
        try fixture.execute("INSERT INTO t VALUES (1)")
        woken.wait()
        XCTAssertNotNil(
            database.whenHead(differsFrom: database.head.revision.commit) { woken.signal() })
        fixture.close()
        woken.wait()
        XCTAssertNil(database.whenHead(differsFrom: CommitNumber(99)) { XCTFail("closed") })
    }
}
