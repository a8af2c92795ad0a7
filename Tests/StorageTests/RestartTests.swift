import Foundation
import Primitives
import SQLite
import XCTest

@testable import Storage

/// What a new process may say about revisions of the one before.
final class RestartTests: XCTestCase {
    /// The last checkpoint put newer pages into the main file than those revisions held.
    func testRevisionsThatACheckpointPassedAreNotReadAfterReopening() throws {
        var options = StorageOptions()
        options.minCheckpointPageCount = 6
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        var images: [(revision: Revision, image: [UInt8])] = []
        for index in 0..<40 {
            try fixture.execute("INSERT INTO t (v) VALUES (randomblob(\(index * 97)))")
            let snapshot = try fixture.acquire().database.snapshot()
            images.append((snapshot.revision, try fixture.image(of: snapshot)))
            snapshot.release()
            try fixture.reopen()
            let database = try fixture.acquire().database
            XCTAssertNoThrow(try database.snapshot(at: snapshot.revision))
            for entry in images.suffix(8) {
                guard let old = try? database.snapshot(at: entry.revision) else { continue }
                XCTAssertEqual(
                    try fixture.image(of: old) == entry.image, true,
                    "commit \(entry.revision.commit.rawValue) after \(index)")
            }
        }
    }

    func testAnEpochBeginsWithTheFirstWriteOfAProcessOnly() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (a)")
        let first = try fixture.acquire().database.head.revision
        for _ in 0..<3 {
            try fixture.reopen()
            XCTAssertEqual(try fixture.query("SELECT count(*) FROM t"), 0)
            XCTAssertEqual(try fixture.acquire().database.head.revision, first)
        }
        try fixture.execute("INSERT INTO t VALUES (1)")
        let second = try fixture.acquire().database.head.revision
        XCTAssertNotEqual(second.epoch, first.epoch)
        try fixture.execute("INSERT INTO t VALUES (1)")
        XCTAssertEqual(try fixture.acquire().database.head.revision.epoch, second.epoch)
    }

    /// Both know the past, and neither takes the other's new revisions for its own.
    func testCopiesOfAFolderGoSeparateWays() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (a)")
        let common = try fixture.acquire().database.head.revision
        fixture.close()
        let databases = fixture.directory + "/databases/"
        // A copy that keeps the times, as backups do.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["cp", "-a", databases + "default", databases + "copy"]
        try process.run()
        process.waitUntilExit()
        try fixture.open()
        let copy = DatabaseName("copy")!
        try fixture.execute("INSERT INTO t VALUES (1)")
        try fixture.execute("INSERT INTO t VALUES (2)", on: copy)
        let (first, second) = (
            try fixture.acquire().database, try fixture.acquire(copy).database
        )
        XCTAssertEqual(first.head.revision.commit, second.head.revision.commit)
        XCTAssertNotEqual(first.head.revision, second.head.revision)
        XCTAssertTrue(first.knows(common) && second.knows(common))
        XCTAssertFalse(first.knows(second.head.revision))
        XCTAssertFalse(second.knows(first.head.revision))
    }

    /// The original went on before the copy was put back.
    func testARestoredCopyDoesNotKnowWhatWasLost() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (a)")
        fixture.close()
        let folder = fixture.directory + "/databases/default"
        let run = { (arguments: [String]) throws in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = arguments
            try process.run()
            process.waitUntilExit()
        }
        try run(["cp", "-a", folder, fixture.directory + "/backup"])
        try fixture.open()
        try fixture.execute("INSERT INTO t VALUES (1)")
        let lost = try fixture.acquire().database.head.revision
        fixture.close()
        try run(["rm", "-r", folder])
        try run(["mv", fixture.directory + "/backup", folder])
        try fixture.open()
        XCTAssertFalse(try fixture.acquire().database.knows(lost))
        try fixture.execute("INSERT INTO t VALUES (2)")
        let database = try fixture.acquire().database
        XCTAssertEqual(database.head.revision.commit, lost.commit)
        XCTAssertFalse(database.knows(lost))
    }
}
