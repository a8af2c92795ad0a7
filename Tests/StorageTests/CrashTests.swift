import Foundation
import Primitives
import SQLite
import TestSupport
import XCTest

@testable import Storage

/// Opens what crashes at many points of a database's life would leave.
final class CrashTests: XCTestCase {
    /// What a run did, by commit number.
    private struct Run {
        var revisions: [Revision] = []
        var contents: [CommitNumber: [UInt8]] = [:]
    }

    func testEveryCrashLeavesAllAcknowledgedCommitsAndRightDeltas() {
        forEachSeed(count: 2) { generator in
            var options = StorageOptions()
            options.minCheckpointPageCount = 12
            let fixture = try StorageFixture(options: options)
            defer { fixture.tearDown() }
            let (run, images) = try self.record(fixture, &generator)
            try require(images.count > 10, "only \(images.count) images")
            for (index, image) in images.enumerated() {
                do {
                    try self.check(image, run)
                } catch {
                    throw Mismatch("image \(index), \(image.moment): \(error)")
                }
            }
        }
    }

    private func record(
        _ fixture: StorageFixture, _ generator: inout SeededGenerator
    ) throws -> (Run, [CrashImages.Image]) {
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        var run = Run()
        try note(fixture, &run)
        let recorder = CrashImages(
            folder: URL(fileURLWithPath: fixture.path(.default, "meta")).deletingLastPathComponent()
                .resolvingSymlinksInPath().path,
            generator: SeededGenerator(seed: generator.next()), oneIn: 14)
        recorder.mark = run.revisions.count
        fixture.close()
        try fixture.open()
        _ = try fixture.acquire()
        recorder.begin()
        defer { recorder.end() }
        var kept: [Snapshot] = []
        for step in 0..<24 {
            try fixture.execute(Self.statement(step, &generator))
            try note(fixture, &run)
            recorder.mark = run.revisions.count
            if generator.chance(3) {
                kept.append(try fixture.acquire().database.snapshot())
            } else if kept.count > 2 {
                kept.removeFirst()
            }
        }
        fixture.drainWriter(try fixture.acquire().database)
        return (run, recorder.images)
    }

    private static func statement(_ step: Int, _ generator: inout SeededGenerator) -> String {
        switch generator.number(0...9) {
        case 0: "DELETE FROM t WHERE id % \(generator.number(2...4)) = 0"
        case 1: "UPDATE t SET v = randomblob(\(generator.number(10...4000))) WHERE id % 3 = 1"
        case 2 where step > 8: "VACUUM"
        default:
            "INSERT INTO t (v) VALUES (randomblob(\(generator.number(1...9000)))), (\(step))"
        }
    }

    private func note(_ fixture: StorageFixture, _ run: inout Run) throws {
        let snapshot = try fixture.acquire().database.snapshot()
        guard snapshot.revision != run.revisions.last else { return }
        run.revisions.append(snapshot.revision)
        run.contents[snapshot.revision.commit] = try fixture.image(of: snapshot)
    }

    private func check(_ image: CrashImages.Image, _ run: Run) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try image.write(to: folder.file("databases/default"))
        let fixture = try StorageFixture(directory: folder.path)
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        let head = database.head.revision
        let acknowledged = run.revisions[image.mark - 1]
        try require(head.commit >= acknowledged.commit, "an acknowledged commit is lost")
        let snapshot = try database.snapshot()
        let content = try fixture.image(of: snapshot)
        try require(content == run.contents[head.commit], "the head is no commit that was made")
        try fixture.withImage(content) { connection in
            try require(
                try connection.queryText("PRAGMA integrity_check") == "ok", "integrity check")
        }
        try checkRevisions(run, database, fixture)
        snapshot.release()
        // Life goes on: a commit under a new epoch, and a checkpoint.
        try fixture.execute("INSERT INTO t (v) SELECT randomblob(6000) FROM (VALUES (1), (2), (3))")
        fixture.drainWriter(database)
        try checkRevisions(run, database, fixture, lost: head)
    }

    /// - Parameter lost: revisions that are newer were lost before new ones were made.
    private func checkRevisions(
        _ run: Run, _ database: Database, _ fixture: StorageFixture, lost: Revision? = nil
    ) throws {
        let newest = lost ?? database.head.revision
        let snapshot = try database.snapshot()
        let content = try fixture.image(of: snapshot)
        for revision in run.revisions {
            let isKnown = database.knows(revision)
            try require(
                isKnown == (revision.commit <= newest.commit),
                "commit \(revision.commit.rawValue) is known: \(isKnown)")
            guard isKnown, let old = run.contents[revision.commit] else { continue }
            let pages = database.pages(
                changedAfter: revision.commit, databaseSize: snapshot.databaseSize)
            try require(
                fixture.patched(old, pages, from: content) == content,
                "the delta from commit \(revision.commit.rawValue)")
            if let exact = try? database.snapshot(at: revision) {
                try require(
                    fixture.image(of: exact) == old,
                    "commit \(revision.commit.rawValue) as it was")
            }
        }
    }
}
