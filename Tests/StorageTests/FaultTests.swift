import Foundation
import Primitives
import Synchronization
import TestSupport
import XCTest

@testable import Storage

/// Lets the n-th operation of a scripted life fail, for every n: refused, refused for want of room,
/// cut short in the middle of a write, or a flush that loses what it was to make durable. What was
/// acknowledged stays, replicas get right pages, and the store works again when the disk does;
/// also when the machine loses its power right behind the failure.
final class FaultTests: XCTestCase {
    private struct Fault: CustomStringConvertible {
        let code: Int32
        /// Bytes of a write arrive before it fails, in percent.
        let arriving: Int?
        /// Operations that fail, one behind the other.
        let count: Int

        var description: String {
            "\(code == EIO ? "EIO" : "ENOSPC"), \(arriving ?? 0) %, \(count)"
        }

        func outcome(_ event: FileOperationHook.Event) -> FileOperationHook.Outcome {
            guard let arriving, event.byteCount > 0 else { return .fails(code) }
            return .isCutShort(byteCount: event.byteCount * arriving / 100, code)
        }
    }

    private static let faults = [
        Fault(code: EIO, arriving: nil, count: 1), Fault(code: ENOSPC, arriving: 60, count: 1),
        Fault(code: EIO, arriving: 30, count: 1), Fault(code: ENOSPC, arriving: nil, count: 6),
        Fault(code: EIO, arriving: 90, count: 3),
    ]

    private static let options: StorageOptions = {
        var options = StorageOptions()
        options.checkpointWait = .zero
        options.changesRewriteSize = 200
        options.historyLogRewriteSize = 300
        return options
    }()

    /// Each n with one fault of the list; which one depends on the seed.
    func testEveryOperationMayFail() {
        forEachSeed(count: 1, oneIn: 20) { generator in
            let offset = generator.number(0...Self.faults.count - 1)
            let start = try Self.prepare()
            var number = 0
            var isReached = true
            while isReached {
                let fault = Self.faults[(number + offset) % Self.faults.count]
                do {
                    isReached = try Self.run(start, failing: number, fault, &generator)
                } catch {
                    throw Mismatch("operation \(number), \(fault): \(error)")
                }
                number += 1
            }
            try require(number > 150, "only \(number) operations")
        }
    }

    // MARK: one life

    private struct Start {
        let disk: WatchedDisk.Image
        let facts: StoreFacts
    }

    /// A database with rows, a checkpoint and a replica.
    private static func prepare() throws -> Start {
        let folder = try TemporaryFolder(inMemory: true)
        defer { folder.remove() }
        let world = try StoreWorld(directory: folder.file("data"), options: options)
        defer { world.tearDown() }
        try world.begin()
        try world.commit("INSERT INTO t (v) VALUES (randomblob(5000)), (2)")
        _ = try world.beginReplica()
        try world.commit("UPDATE t SET v = randomblob(4000)")
        try world.checkpoint(.passive)
        world.fixture.close()
        return Start(disk: try WatchedDisk(root: folder.path).killed(), facts: world.facts)
    }

    /// - Returns: whether there was such an operation.
    private static func run(
        _ start: Start, failing number: Int, _ fault: Fault, _ generator: inout SeededGenerator
    ) throws -> Bool {
        let folder = try TemporaryFolder(inMemory: true)
        defer { folder.remove() }
        try start.disk.write(to: folder.path)
        let disk = try FaultyDisk(root: folder.path, failing: number..<number + fault.count) {
            fault.outcome($0)
        }
        var crash: (disk: WatchedDisk.Image, facts: StoreFacts)?
        var power = SeededGenerator(seed: generator.next())
        let world = try StoreWorld(
            directory: folder.file("data"), options: options, facts: start.facts)
        defer { world.tearDown() }
        world.stepEnded = { facts in
            if crash == nil, disk.hasFailed { crash = (disk.powerless(&power), facts) }
        }
        disk.begin()
        defer { disk.end() }
        for step in script { try attempt(step, world) }
        disk.end()
        guard disk.hasFailed else { return false }
        world.stepEnded = { _ in }
        do { try checkRecovered(world) } catch {
            throw Mismatch("\(disk.failedName): \(error)")
        }
        if let crash {
            do { try checkCrashed(crash.disk, crash.facts) } catch {
                throw Mismatch("a power cut behind \(disk.failedName): \(error)")
            }
        }
        return true
    }

    private static func attempt(
        _ step: (StoreWorld) throws -> Void, _ world: StoreWorld
    ) throws {
        do {
            if world.fixture.store == nil { try world.fixture.open() }
            try step(world)
        } catch let error as Mismatch {
            throw error
        } catch {
            // Refused; what it left open is noted in the facts.
        }
    }

    /// The disk works again.
    private static func checkRecovered(_ world: StoreWorld) throws {
        // A database whose WAL could not be put right stays closed until a restart.
        if world.fixture.store == nil || (try? world.database().snapshot()) == nil {
            try world.reopen()
        }
        try world.check()
        try world.adopt()
        try world.checkThatLifeGoesOn()
        try world.reopen()
        try world.check()
    }

    private static func checkCrashed(
        _ image: WatchedDisk.Image, _ facts: StoreFacts
    ) throws {
        let folder = try TemporaryFolder(inMemory: true)
        defer { folder.remove() }
        try image.write(to: folder.path)
        let world = try StoreWorld(
            directory: folder.file("data"), options: options, facts: facts)
        defer { world.tearDown() }
        try world.check()
        try world.adopt()
        try world.checkThatLifeGoesOn()
    }

    private static let script: [@Sendable (StoreWorld) throws -> Void] = [
        { try $0.commit("INSERT INTO t (v) VALUES (randomblob(3000))") },
        { _ = try $0.beginReplica() },
        { try $0.checkpoint(.passive) },
        { try $0.commit("UPDATE t SET v = randomblob(length(v))") },
        { world in for id in world.ids { try world.pull(id, arrives: true) } },
        { try $0.checkpoint(.truncate) },
        { try $0.fixture.replaceWriter() },
        { try $0.commit("DELETE FROM t WHERE id = 1") },
        { world in for id in world.ids { try world.pull(id, arrives: false) } },
        { try $0.commit("VACUUM") },
        { try $0.checkpoint(.restart) },
        { try $0.reopen() },
        { world in for id in world.ids { try world.read(id) } },
        { world in for id in world.ids { try world.pull(id, arrives: true) } },
        { try $0.commit("INSERT INTO t (v) VALUES (randomblob(9000))") },
        { try $0.checkpoint(.full) },
        { try $0.create(DatabaseName("copy")!, copying: true) },
        { world in if let id = world.ids.first { try world.drop(id) } },
        { $0.advance(seconds: 31 * 86400) },
        { try $0.commit("UPDATE t SET v = 7") },
        { try $0.checkpoint(.passive) },
        { try $0.delete(DatabaseName("copy")!) },
        { try $0.commit("INSERT INTO t (v) VALUES (randomblob(2000))") },
    ]
}

/// A disk some of whose operations fail.
private final class FaultyDisk: @unchecked Sendable {
    // @unchecked: guarded by `lock`.

    private let lock = NSLock()
    private let root: String
    private let disk: WatchedDisk
    private let failing: Range<Int>
    private let outcome: @Sendable (FileOperationHook.Event) -> FileOperationHook.Outcome
    private var count = 0
    private var failed: [String] = []

    /// - Parameter failing: numbers of operations, from 0 on.
    init(
        root: String, failing: Range<Int>,
        _ outcome: @escaping @Sendable (FileOperationHook.Event) -> FileOperationHook.Outcome
    ) throws {
        self.root = root
        self.failing = failing
        self.outcome = outcome
        disk = try WatchedDisk(root: root)
    }

    var hasFailed: Bool { lock.withLock { !failed.isEmpty } }
    var failedName: String { lock.withLock { failed.joined(separator: ", ") } }

    func begin() {
        FileOperationHook.handler = { [self] event in
            guard event.path.hasPrefix(root) else { return .goesOn }
            return lock.withLock { note(event) }
        }
    }

    func end() { FileOperationHook.handler = nil }

    private func note(_ event: FileOperationHook.Event) -> FileOperationHook.Outcome {
        var result = FileOperationHook.Outcome.goesOn
        if failing.contains(count) {
            failed.append(event.name)
            result = outcome(event)
        }
        count += 1
        disk.note(event, result)
        return result
    }

    func powerless(_ generator: inout SeededGenerator) -> WatchedDisk.Image {
        lock.withLock {
            disk.operationEnded()
            return disk.powerless(&generator)
        }
    }
}
