import Foundation
import Primitives
import SQLite
import Storage
import XCTest

final class DatabaseTests: XCTestCase {
    func testANewDatabaseIsOnePageLongAtCommitOne() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        let lease = try fixture.acquire()
        let head = lease.database.head
        XCTAssertEqual(head.databaseSize, 1)
        XCTAssertEqual(head.revision.commit, CommitNumber(1))
        let image = try fixture.image(of: lease.database.snapshot())
        XCTAssertEqual(Array(image[0..<15]), Array("SQLite format 3".utf8))
        XCTAssertEqual(image[18], 2, "clients expect WAL mode")
    }

    func testACommitChangesTheHeadAndItsPagesOnly() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        let lease = try fixture.acquire()
        let before = lease.database.head
        try fixture.execute("INSERT INTO t (v) VALUES ('x')")
        let after = lease.database.head
        XCTAssertEqual(after.revision.commit, before.revision.commit.next)
        XCTAssertEqual(after.revision.epoch, before.revision.epoch)
        XCTAssertEqual(
            lease.database.pages(
                changedAfter: before.revision.commit, databaseSize: after.databaseSize
            ).map(\.rawValue), [2])
        XCTAssertTrue(lease.database.knows(before.revision))
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 1)
    }

    func testATransactionThatWritesNothingMakesNoRevision() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (a)")
        let lease = try fixture.acquire()
        let before = lease.database.head.revision
        try fixture.execute("BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS t (a); COMMIT")
        try fixture.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1); ROLLBACK")
        XCTAssertEqual(lease.database.head.revision, before)
    }

    func testSnapshotsKeepTheirContentOverCommitsAndCheckpoints() throws {
        var options = StorageOptions()
        options.minCheckpointPageCount = 8
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        let lease = try fixture.acquire()
        var kept: [(snapshot: Snapshot, image: [UInt8], count: Int64)] = []
        for round in 0..<30 {
            try fixture.execute(
                """
                INSERT INTO t SELECT NULL, randomblob(700)
                  FROM generate_series_stand_in;
                """.replacingOccurrences(
                    of: "generate_series_stand_in",
                    with: "(VALUES (1), (2), (3), (4), (5), (6), (7))"))
            if round % 7 == 3 {
                try fixture.execute("UPDATE t SET v = randomblob(300) WHERE id % 5 = 0")
            }
            if round == 14 { try fixture.execute("DELETE FROM t WHERE id % 3 <> 0; VACUUM") }
            let snapshot = try lease.database.snapshot()
            kept.append(
                (
                    snapshot, try fixture.image(of: snapshot),
                    try fixture.query("SELECT count(*) FROM t") ?? -1
                ))
            if round % 4 == 0, kept.count > 3 { kept.remove(at: 1) }
        }
        fixture.drainWriter(lease.database)
        for entry in kept {
            XCTAssertTrue(try fixture.image(of: entry.snapshot) == entry.image)
            try fixture.withImage(entry.image) { connection in
                XCTAssertEqual(try connection.queryText("PRAGMA integrity_check"), "ok")
                XCTAssertEqual(try connection.queryInteger("SELECT count(*) FROM t"), entry.count)
            }
        }
    }

    func testEverythingIsThereAfterReopening() throws {
        var options = StorageOptions()
        options.minCheckpointPageCount = 10
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        var revisions: [Revision] = []
        for _ in 0..<40 {
            try fixture.execute("INSERT INTO t (v) VALUES (randomblob(900))")
            revisions.append(try fixture.acquire().database.head.revision)
        }
        let changed = try fixture.acquire().database.pages(
            changedAfter: revisions[5].commit, databaseSize: .max)
        let image = try fixture.image(of: fixture.acquire().database.snapshot())
        try fixture.reopen()
        let lease = try fixture.acquire()
        XCTAssertEqual(lease.database.head.revision, revisions.last)
        XCTAssertTrue(revisions.allSatisfy { lease.database.knows($0) })
        XCTAssertEqual(
            lease.database.pages(changedAfter: revisions[5].commit, databaseSize: .max), changed)
        XCTAssertTrue(try fixture.image(of: lease.database.snapshot()) == image)
        try fixture.execute("INSERT INTO t (v) VALUES (1)")
        XCTAssertNotEqual(lease.database.head.revision.epoch, revisions[0].epoch)
        XCTAssertTrue(revisions.allSatisfy { lease.database.knows($0) })
    }

    func testAnotherProgramCannotOpenTheDatabaseWhileItIsOpen() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        let lease = try fixture.acquire()
        let path = fixture.path(.default, "main.db")
        XCTAssertEqual(try runSQLite(path, "SELECT 1 FROM sqlite_schema"), .locked)
        XCTAssertEqual(try runSQLite(path, "CREATE TABLE x (a)"), .locked)
        try fixture.execute("CREATE TABLE t (a)")
        withExtendedLifetime(lease) {}
        fixture.close()
        XCTAssertEqual(try runSQLite(path, "INSERT INTO t VALUES (1)"), .done)
        try fixture.open()
    }

    func testADatabaseThatAnotherProgramChangedForgetsItsRevisions() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (a)")
        let before = try fixture.acquire().database.head.revision
        fixture.close()
        XCTAssertEqual(
            try runSQLite(fixture.path(.default, "main.db"), "INSERT INTO t VALUES (1)"), .done)
        try fixture.open()
        let lease = try fixture.acquire()
        XCTAssertFalse(lease.database.knows(before))
        XCTAssertGreaterThan(lease.database.head.revision.commit, before.commit)
        XCTAssertEqual(lease.database.databaseID, before.databaseID)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 1)
        let head = lease.database.head.revision
        try fixture.execute("INSERT INTO t VALUES (2)")
        XCTAssertTrue(lease.database.knows(head))
    }

    func testASecondProcessIsKeptOut() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        XCTAssertThrowsError(
            try DatabaseStore(
                directory: fixture.directory, options: .init(), workers: fixture.workers,
                logger: .disabled)
        ) { error in
            guard case StorageError.dataDirectoryLocked? = error as? StorageError else {
                return XCTFail("\(error)")
            }
        }
    }

    func testDatabasesAreClosedToMakeRoomAndOpenAgain() throws {
        var options = StorageOptions()
        options.openDatabaseLimit = 2
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        let names = (0..<6).map { DatabaseName("db\($0)")! }
        for name in names {
            try fixture.store.create(name)
            try fixture.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)", on: name)
        }
        for _ in 0..<3 {
            for name in names {
                try fixture.execute("INSERT INTO t VALUES (1)", on: name)
            }
        }
        for name in names {
            XCTAssertEqual(try fixture.query("SELECT count(*) FROM t", on: name), 4)
        }
    }

    func testADeletedDatabaseIsGoneAndItsNameIsFree() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        let name = DatabaseName("gone")!
        try fixture.store.create(name)
        try fixture.execute("CREATE TABLE t (a)", on: name)
        let lease = try fixture.acquire(name)
        let id = lease.database.databaseID
        let snapshot = try lease.database.snapshot()
        let box = Box<StorageError?>()
        fixture.store.delete(name) { box.set($0) }
        XCTAssertNil(box.wait())
        XCTAssertThrowsError(try snapshot.page(PageNumber(1)!))
        XCTAssertThrowsError(try fixture.acquire(name))
        try fixture.store.create(name)
        XCTAssertNotEqual(try fixture.acquire(name).database.databaseID, id)
        XCTAssertEqual(try fixture.query("SELECT count(*) FROM sqlite_schema", on: name), 0)
    }

    func testACommitThatACheckpointPassedIsNotReadAfterReopening() throws {
        var options = StorageOptions()
        options.minCheckpointPageCount = 6
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        var revisions: [Revision] = []
        // Up to a commit that a checkpoint follows.
        repeat {
            try fixture.execute("INSERT INTO t (v) VALUES (randomblob(3000))")
            revisions.append(try fixture.acquire().database.head.revision)
            fixture.drainWriter(try fixture.acquire().database)
        } while try fixture.acquire().database.statistics().walFrameCount > 0
        XCTAssertGreaterThan(revisions.count, 1)
        let images = try revisions.map { revision -> [UInt8]? in
            guard let snapshot = try? fixture.acquire().database.snapshot(at: revision) else {
                return nil
            }
            return try fixture.image(of: snapshot)
        }
        try fixture.reopen()
        let database = try fixture.acquire().database
        for (revision, image) in zip(revisions, images) {
            // Gone or the same: never other pages.
            guard let snapshot = try? database.snapshot(at: revision) else { continue }
            XCTAssertNotNil(image, "a revision came back that a checkpoint had passed")
            XCTAssertTrue(try fixture.image(of: snapshot) == image, "other pages came back")
        }
        XCTAssertNoThrow(try database.snapshot(at: XCTUnwrap(revisions.last)))
    }

    private enum SQLiteOutcome { case done, locked }

    private func runSQLite(_ path: String, _ sql: String) throws -> SQLiteOutcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["sqlite3", path, sql]
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = Pipe()
        try process.run()
        process.waitUntilExit()
        let text = String(
            decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        if process.terminationStatus == 0 { return .done }
        XCTAssertTrue(text.contains("locked"), text)
        return .locked
    }
}
