import Dispatch
import Foundation
import Primitives
import SQLite
import XCTest

@testable import Storage

/// What follows when commits are lost, or wait, in ways that only a busy store knows.
final class LostCommitTests: XCTestCase {
    override func tearDown() { HeldFlush.stop() }

    /// A failed database is mostly closed by the next one who wants it, but room for another one may
    /// be wanted first.
    func testNumbersOfLostCommitsGetANewNameWhoeverClosesTheDatabase() throws {
        var options = StorageOptions()
        options.openDatabaseLimit = 1
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        let other = try XCTUnwrap(DatabaseName("other"))
        try fixture.store.create(other)
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        let before = try fail(fixture)
        // Whoever lets go of a database closes one that nobody uses, as soon as the worker that
        // opened it has let go of it, too.
        while fixture.store.openHead(.default) != nil { _ = try fixture.acquire(other) }
        try fixture.execute("INSERT INTO t VALUES (2)")
        let lease = try fixture.acquire()
        let after = lease.database.head.revision
        XCTAssertEqual(after.commit, before.commit.next)
        XCTAssertNotEqual(after.epoch, before.epoch, "its number has a new name")
        XCTAssertEqual(lease.database.rejectedEntries().count, 0, "their commit was lost")
    }

    func testNumbersOfLostCommitsGetANewNameWhereTheDatabaseCannotBeRemoved() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        let before = try fail(fixture)
        FileOperationHook.handler = { $0.name == "rename deleted name" ? .fails(EIO) : .goesOn }
        let failed = DispatchSemaphore(value: 0)
        fixture.store.delete(.default) { error in
            XCTAssertNotNil(error)
            failed.signal()
        }
        failed.wait()
        HeldFlush.stop()
        try fixture.execute("INSERT INTO t VALUES (2)")
        let after = try fixture.acquire().database.head.revision
        XCTAssertEqual(after.commit, before.commit.next)
        XCTAssertNotEqual(after.epoch, before.epoch, "its number has a new name")
    }

    func testADatabaseThatMustStayClosedDoesSoWhereItCannotBeRemoved() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        FileOperationHook.handler = { event in
            let fails = ["flush commit", "cut failed commit", "rename deleted name"]
            return fails.contains(event.name) ? .fails(EIO) : .goesOn
        }
        XCTAssertThrowsError(try fixture.execute("INSERT INTO t VALUES (1)"))
        for _ in 1...2 {
            let failed = DispatchSemaphore(value: 0)
            fixture.store.delete(.default) { error in
                XCTAssertNotNil(error)
                failed.signal()
            }
            failed.wait()
            XCTAssertThrowsError(try fixture.acquire(), "the end of its WAL is in doubt")
        }
    }

    /// Loses a commit with a refused change, and returns the newest revision that there is.
    private func fail(_ fixture: StorageFixture) throws -> Revision {
        let lease = try fixture.acquire()
        let disk = HeldFlush(fixture.directory)
        let answered = DispatchSemaphore(value: 0)
        lease.database.write(
            { session throws(StorageError) in
                try session.prepareToWrite()
                try? session.connection.execute("BEGIN; INSERT INTO t VALUES (1)")
                let change = RejectedChangeLog.Entry(key: "a", payload: [123, 125])
                let pending = try session.recordRejected([change])
                try? session.connection.execute("COMMIT")
                session.resolveRejected(pending, committed: true)
            },
            completion: { result in
                if case .success = result { XCTFail("the commit was lost") }
                answered.signal()
            })
        disk.awaitBegin()
        disk.end(.fails(EIO))
        answered.wait()
        HeldFlush.stop()
        return lease.database.head.revision
    }

    /// What a reader saw may be of a job that goes on for long; it is flushed all the same.
    func testAReaderDoesNotWaitForTheEndOfALongJob() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        let lease = try fixture.acquire()
        let (committed, goesOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let (answered, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        lease.database.write(
            { session throws(StorageError) in
                try session.prepareToWrite()
                try? session.connection.execute("INSERT INTO t VALUES (1)")
                committed.signal()
                goesOn.wait()
            }, completion: { (_: Result<Void, StorageError>) in ended.signal() })
        committed.wait()
        lease.database.read(
            { try? $0.queryInteger("SELECT count(*) FROM t") },
            completion: { result in
                if case .success(let count) = result { XCTAssertEqual(count, 1) }
                answered.signal()
            })
        XCTAssertEqual(answered.wait(timeout: .now() + 20), .success)
        goesOn.signal()
        ended.wait()
    }
}
