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
            options.checkpointWait = .zero
            let fixture = try StorageFixture(options: options)
            defer { fixture.tearDown() }
            let (run, images) = try self.record(fixture, &generator, oneIn: 14) {
                try self.runRandomSteps(fixture, &$0, noteCommit: $1)
            }
            try self.check(images, run)
        }
    }

    /// Every single operation from before a checkpoint to behind the next commits, for the modes
    /// that empty the WAL or start it over, and with a new connection that draws new salts.
    func testEveryCrashAroundACheckpointByHand() {
        forEachSeed(count: 1) { generator in
            for mode in [CheckpointMode.restart, .truncate] {
                for replacesWriter in [false, true] {
                    let fixture = try StorageFixture()
                    defer { fixture.tearDown() }
                    let (run, images) = try self.record(fixture, &generator, oneIn: 1) {
                        _, noteCommit in
                        for index in 0..<3 {
                            try fixture.execute("INSERT INTO t (v) VALUES (randomblob(5000))")
                            try noteCommit()
                            if index == 2 { break }
                            let result = try fixture.checkpoint(mode)
                            try require(!result.isBusy, "\(mode)")
                            if replacesWriter { try fixture.replaceWriter() }
                        }
                    }
                    do { try self.check(images, run) } catch {
                        throw Mismatch("\(mode), \(replacesWriter): \(error)")
                    }
                }
            }
        }
    }

    private func check(_ images: [CrashImages.Image], _ run: Run) throws {
        try require(images.count > 10, "only \(images.count) images")
        for (index, image) in images.enumerated() {
            do { try check(image, run) } catch {
                throw Mismatch("image \(index), \(image.moment): \(error)")
            }
        }
    }

    /// - Parameter steps: is given the generator, and what it calls behind each commit.
    private func record(
        _ fixture: StorageFixture, _ generator: inout SeededGenerator, oneIn: Int,
        _ steps: (inout SeededGenerator, _ noteCommit: () throws -> Void) throws -> Void
    ) throws -> (Run, [CrashImages.Image]) {
        try fixture.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        var run = Run()
        try note(fixture, &run)
        let recorder = CrashImages(
            folder: URL(fileURLWithPath: fixture.path(.default, "meta")).deletingLastPathComponent()
                .resolvingSymlinksInPath().path,
            generator: SeededGenerator(seed: generator.next()), oneIn: oneIn)
        recorder.mark = run.revisions.count
        fixture.close()
        try fixture.open()
        _ = try fixture.acquire()
        recorder.begin()
        defer { recorder.end() }
        try steps(&generator) {
            try note(fixture, &run)
            recorder.mark = run.revisions.count
        }
        fixture.drainWriter(try fixture.acquire().database)
        return (run, recorder.images)
    }

    private func runRandomSteps(
        _ fixture: StorageFixture, _ generator: inout SeededGenerator,
        noteCommit: () throws -> Void
    ) throws {
        var kept: [Snapshot] = []
        var reader: HeldReader?
        defer { reader?.end() }
        for step in 0..<24 {
            try fixture.execute(Self.statement(step, &generator))
            try noteCommit()
            if generator.chance(3) {
                _ = try fixture.checkpoint(CheckpointMode.allCases[generator.number(0...3)])
            }
            if generator.chance(4) { try fixture.replaceWriter() }
            if generator.chance(6) {
                reader?.end()
                let database = try fixture.acquire().database
                reader = generator.chance(2) ? nil : try HeldReader(database, "SELECT id FROM t")
            }
            if generator.chance(3) {
                kept.append(try fixture.acquire().database.snapshot())
            } else if kept.count > 2 {
                kept.removeFirst()
            }
        }
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
