import Foundation
import Primitives
import SQLite
import TestSupport
import XCTest

@testable import Storage

/// Random SQL, snapshots, readers, pulls and restarts against images that were kept.
final class StoreModelTests: XCTestCase {
    private struct Kept {
        let snapshot: Snapshot
        let image: [UInt8]
    }

    /// A replica that pulls now and then.
    private struct Replica {
        var revision: Revision
        var image: [UInt8]
    }

    func testSnapshotsAndDeltasAreExact() {
        forEachSeed(count: 6) { generator in
            var options = StorageOptions()
            options.minCheckpointPageCount = generator.number(1...30)
            let fixture = try StorageFixture(options: options)
            defer { fixture.tearDown() }
            try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
            var kept: [Kept] = []
            var replicas: [Replica] = []
            var reader: HeldReader?
            defer { reader?.end() }
            for step in 0..<60 {
                try fixture.execute(Self.statement(step, &generator))
                let database = try fixture.acquire().database
                if generator.chance(3) {
                    let snapshot = try database.snapshot()
                    kept.append(Kept(snapshot: snapshot, image: try fixture.image(of: snapshot)))
                    replicas.append(
                        Replica(revision: snapshot.revision, image: kept.last!.image))
                }
                if kept.count > 4 || (generator.chance(6) && !kept.isEmpty) {
                    kept.remove(at: generator.number(0...kept.count - 1))
                }
                if generator.chance(8) {
                    reader?.end()
                    reader =
                        generator.chance(2) ? nil : try HeldReader(database, "SELECT id FROM t")
                }
                try Self.check(kept, fixture)
                if !replicas.isEmpty, generator.chance(2) {
                    let index = generator.number(0...replicas.count - 1)
                    try Self.pull(&replicas[index], database, fixture)
                }
                if generator.chance(20) {
                    reader?.end()
                    reader = nil
                    kept = []
                    try fixture.reopen()
                }
            }
            let database = try fixture.acquire().database
            for index in replicas.indices { try Self.pull(&replicas[index], database, fixture) }
        }
    }

    private static func statement(_ step: Int, _ generator: inout SeededGenerator) -> String {
        let size = generator.number(1...6000)
        switch generator.number(0...13) {
        case 0: return "DELETE FROM t WHERE id % \(generator.number(2...5)) <> 0"
        case 1: return "VACUUM"
        case 2: return "CREATE TABLE IF NOT EXISTS u\(generator.number(0...3)) (a UNIQUE, b)"
        case 3: return "DROP TABLE IF EXISTS u\(generator.number(0...3))"
        case 4:
            return "UPDATE t SET v = zeroblob(\(size)) WHERE id % 4 = \(generator.number(0...3))"
        case 5: return "DELETE FROM t WHERE id > (SELECT max(id) / 2 FROM t)"
        case 6: return "BEGIN; INSERT INTO t (v) VALUES (1); UPDATE t SET v = 2; ROLLBACK"
        case 7:
            return "BEGIN; INSERT INTO t (v) VALUES (randomblob(\(size * 5))); SAVEPOINT s; "
                + "DELETE FROM t; ROLLBACK TO s; UPDATE t SET v = \(step) WHERE id % 7 = 1; COMMIT"
        default:
            return "INSERT INTO t (v) VALUES (randomblob(\(size))), (randomblob(\(size / 3))), (1)"
        }
    }

    private static func check(_ kept: [Kept], _ fixture: StorageFixture) throws {
        for entry in kept {
            try require(
                fixture.image(of: entry.snapshot) == entry.image,
                "commit \(entry.snapshot.revision.commit.rawValue) changed")
        }
    }

    private static func pull(
        _ replica: inout Replica, _ database: Database, _ fixture: StorageFixture
    ) throws {
        try require(database.knows(replica.revision), "\(replica.revision.wire) is unknown")
        let snapshot = try database.snapshot()
        let image = try fixture.image(of: snapshot)
        let pages = database.pages(
            changedAfter: replica.revision.commit, databaseSize: snapshot.databaseSize)
        try require(
            fixture.patched(replica.image, pages, from: image) == image,
            "a pull from commit \(replica.revision.commit.rawValue)")
        try fixture.withImage(image) { connection in
            try require(
                try connection.queryText("PRAGMA integrity_check") == "ok", "integrity check")
        }
        replica = Replica(revision: snapshot.revision, image: image)
    }

    /// A statement that is under way keeps a checkpoint from its end, and the WAL from starting
    /// over; snapshots see what they saw through all of it.
    func testAReaderThatHoldsUpCheckpoints() throws {
        var options = StorageOptions()
        options.minCheckpointPageCount = 4
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        try fixture.execute("INSERT INTO t (v) VALUES (randomblob(30000)), (2), (3)")
        let lease = try fixture.acquire()
        fixture.drainWriter(lease.database)
        try fixture.execute("UPDATE t SET v = 1 WHERE id = 2")
        let reader = try HeldReader(lease.database, "SELECT id FROM t")
        var kept: [Kept] = []
        for index in 0..<30 {
            let snapshot = try lease.database.snapshot()
            kept.append(Kept(snapshot: snapshot, image: try fixture.image(of: snapshot)))
            try fixture.execute(
                index % 10 == 9
                    ? "DELETE FROM t WHERE id > 2; VACUUM"
                    : "INSERT INTO t (v) VALUES (randomblob(9000)); UPDATE t SET v = \(index) WHERE id = 1"
            )
            try Self.check(kept, fixture)
        }
        fixture.drainWriter(lease.database)
        XCTAssertGreaterThan(try lease.database.statistics().walFrameCount, 60, "it was held up")
        reader.end()
        for index in 0..<10 {
            try fixture.execute("INSERT INTO t (v) VALUES (\(index))")
            try Self.check(kept, fixture)
        }
        fixture.drainWriter(lease.database)
        XCTAssertLessThan(try lease.database.statistics().walFrameCount, 60)
        try Self.check(kept, fixture)
    }

    /// The history file gives back what no snapshot needs.
    func testHistoryEndsWithItsSnapshots() throws {
        var options = StorageOptions()
        options.minCheckpointPageCount = 4
        let fixture = try StorageFixture(options: options)
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        let lease = try fixture.acquire()
        let snapshot = try lease.database.snapshot()
        for _ in 0..<6 { try fixture.execute("INSERT INTO t (v) VALUES (randomblob(20000))") }
        fixture.drainWriter(lease.database)
        XCTAssertEqual(
            try lease.database.statistics().historyBytes, Int64(2 * pageSize),
            "each page that the snapshot sees is saved once")
        snapshot.release()
        for _ in 0..<2 { try fixture.execute("INSERT INTO t (v) VALUES (randomblob(20000))") }
        fixture.drainWriter(lease.database)
        XCTAssertEqual(try lease.database.statistics().historyBytes, 0)
        XCTAssertEqual(try lease.database.statistics().snapshotCount, 0)
    }
}
