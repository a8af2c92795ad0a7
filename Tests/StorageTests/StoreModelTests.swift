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

    /// After every step, every page of every replica and of every snapshot that is held is right;
    /// and so are the deltas from revisions before.
    func testReplicasSnapshotsAndDeltasAreExact() {
        var dropCount = 0
        forEachSeed(count: 6) { generator in
            var options = StorageOptions()
            options.minCheckpointPageCount = generator.number(1...30)
            options.checkpointWait = .zero
            options.changesRewriteSize = 1000
            options.historyLogRewriteSize = 1000
            let isTight = generator.chance(2)
            if isTight { options.historyQuota = Int64(generator.number(0...60) * pageSize) }
            let folder = try TemporaryFolder(inMemory: true)
            defer { folder.remove() }
            let world = try StoreWorld(directory: folder.file("data"), options: options)
            defer { world.tearDown() }
            world.quotaIsTight = isTight
            try world.begin()
            var kept: [Kept] = []
            var reader: HeldReader?
            defer { reader?.end() }
            world.willReopen = {
                reader?.end()
                reader = nil
                kept = []
            }
            for step in 0..<60 {
                do {
                    try world.randomStep(&generator)
                    try Self.hold(&kept, &reader, world, &generator)
                    try Self.check(kept, world.fixture, quotaIsTight: isTight)
                    try world.check()
                } catch { throw Mismatch("step \(step): \(error)") }
            }
            reader?.end()
            reader = nil
            kept = []
            try world.checkThatLifeGoesOn()
            dropCount += world.dropCount
        }
        XCTAssertGreaterThan(dropCount, 0, "no replica was ever dropped")
    }

    /// Snapshots and readers come and go.
    private static func hold(
        _ kept: inout [Kept], _ reader: inout HeldReader?, _ world: StoreWorld,
        _ generator: inout SeededGenerator
    ) throws {
        let database = try world.database()
        if generator.chance(3) {
            let snapshot = try database.snapshot()
            kept.append(Kept(snapshot: snapshot, image: try world.fixture.image(of: snapshot)))
        }
        if kept.count > 4 || (generator.chance(6) && !kept.isEmpty) {
            kept.remove(at: generator.number(0...kept.count - 1))
        }
        if generator.chance(8) {
            reader?.end()
            reader = generator.chance(2) ? nil : try HeldReader(database, "SELECT id FROM t")
        }
    }

    /// - Parameter quotaIsTight: snapshots may end for want of room.
    private static func check(
        _ kept: [Kept], _ fixture: StorageFixture, quotaIsTight: Bool = false
    ) throws {
        for entry in kept {
            do {
                try require(
                    fixture.image(of: entry.snapshot) == entry.image,
                    "commit \(entry.snapshot.revision.commit.rawValue) changed")
            } catch StorageError.revisionGone where quotaIsTight {
            }
        }
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
