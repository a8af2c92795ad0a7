import Foundation
import Primitives
import SQLite
import TestSupport
import XCTest

@testable import Storage

/// Opens what crashes at every named point of a database's life leave. The images are copies made
/// just before each operation, which for the files is the same as a process that is killed there;
/// `kill_rounds.py` kills real ones, at times of its own.
final class CrashTests: XCTestCase {
    /// A run, the facts at each of its marks, and the images that were taken of it.
    private struct Run {
        let facts: [StoreFacts]
        let images: [CrashImages.Image]
        let names: Set<String>
    }

    private static let tight: StorageOptions = {
        var options = StorageOptions()
        options.minCheckpointPageCount = 12
        options.checkpointWait = .zero
        options.changesRewriteSize = 400
        options.historyLogRewriteSize = 600
        return options
    }()

    func testEveryNamedPointIsReachedAndSurvived() {
        forEachSeed(count: 1, oneIn: 20) { generator in
            let run = try self.record(&generator, perName: 3, oneIn: 0) { world, recorder in
                try CrashScript(world: world, recorder: recorder).run()
            }
            let missing = CrashPoints.all.subtracting(run.names).sorted()
            let unknown = run.names.subtracting(CrashPoints.all).sorted()
            try require(missing.isEmpty, "never reached: \(missing)")
            try require(unknown.isEmpty, "not in the list: \(unknown)")
            try self.check(run)
        }
    }

    func testCrashesAnywhereInRandomLivesLoseNothing() {
        forEachSeed(count: 2, oneIn: 10) { generator in
            var steps = SeededGenerator(seed: generator.next())
            let run = try self.record(&generator, perName: 1, oneIn: 30) { world, _ in
                world.quotaIsTight = true
                for _ in 0..<40 { try world.randomStep(&steps) }
            }
            try self.check(run)
        }
    }

    /// Every single operation from before a checkpoint to behind the next commits, for the modes
    /// that empty the WAL or start it over, and with a new connection that draws new salts.
    func testEveryCrashAroundACheckpointByHand() {
        forEachSeed(count: 1, oneIn: 50) { generator in
            for mode in [CheckpointMode.restart, .truncate] {
                for replacesWriter in [false, true] {
                    let run = try self.record(
                        &generator, perName: 0, oneIn: 1, options: StorageOptions()
                    ) { world, _ in
                        _ = try world.beginReplica()
                        for index in 0..<3 {
                            try world.commit("UPDATE t SET v = randomblob(5000)")
                            if index == 2 { break }
                            let result = try world.checkpoint(mode)
                            try require(!result.isBusy, "\(mode)")
                            if replacesWriter { try world.fixture.replaceWriter() }
                        }
                    }
                    do { try self.check(run) } catch {
                        throw Mismatch("\(mode), \(replacesWriter): \(error)")
                    }
                }
            }
        }
    }

    // MARK: recording

    /// - Parameter steps: begins with a database that has a row, and images from there on if
    ///   `perName` is 0; else from before the data directory was made.
    private func record(
        _ generator: inout SeededGenerator, perName: Int, oneIn: Int,
        options: StorageOptions = tight, _ steps: (StoreWorld, CrashImages) throws -> Void
    ) throws -> Run {
        let folder = try TemporaryFolder(inMemory: true)
        defer { folder.remove() }
        let root = folder.path
        let recorder = try CrashImages(
            root: root, generator: SeededGenerator(seed: generator.next()), perName: perName,
            oneIn: oneIn)
        var facts = [StoreFacts()]
        recorder.begin()
        defer { recorder.end() }
        if perName == 0 { recorder.end() }
        let world = try StoreWorld(directory: root + "/data", options: options)
        defer { world.tearDown() }
        world.stepEnded = { now in
            facts.append(now)
            recorder.mark = facts.count - 1
        }
        try world.begin()
        try world.commit("INSERT INTO t (v) VALUES (randomblob(7000)), (2), (randomblob(3000))")
        var images: CrashImages = recorder
        if perName == 0 {
            images = try CrashImages(
                root: root, generator: SeededGenerator(seed: generator.next()), perName: 0,
                oneIn: oneIn)
            facts = [world.facts]
            world.stepEnded = { now in
                facts.append(now)
                images.mark = facts.count - 1
            }
            images.begin()
        }
        try steps(world, images)
        try world.check()
        world.fixture.close()
        images.end()
        return Run(facts: facts, images: images.images, names: images.names)
    }

    // MARK: checking

    private func check(_ run: Run) throws {
        try require(run.images.count > 10, "only \(run.images.count) images")
        for (index, image) in run.images.enumerated() {
            do { try check(image, run) } catch {
                throw Mismatch("image \(index), \(image.moment), mark \(image.mark): \(error)")
            }
        }
    }

    private func check(_ image: CrashImages.Image, _ run: Run) throws {
        let folder = try TemporaryFolder(inMemory: true)
        defer { folder.remove() }
        try image.disk.write(to: folder.path)
        let before = run.facts[image.mark]
        let after = run.facts[min(image.mark + 1, run.facts.count - 1)]
        var options = Self.tight
        options.minCheckpointPageCount = 1000
        let world = try StoreWorld(
            directory: folder.file("data"), options: options, facts: before)
        defer { world.tearDown() }
        try StoreJudge(before: before, after: after).check(world.fixture)
        guard before.revisions.count > 1 else { return }
        try world.adopt()
        try world.checkThatLifeGoesOn()
    }
}
