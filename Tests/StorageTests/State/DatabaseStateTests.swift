import Primitives
import Storage
import TestSupport
import XCTest

final class DatabaseStateTests: XCTestCase {
    /// Random commits, pins, checkpoints and restarts against a plain map of page versions.
    func testPinsReadWhatTheirCommitHeld() {
        forEachSeed(count: 40) { generator in
            var files = SimulatedFiles()
            for _ in 0..<120 {
                switch generator.number(0...99) {
                case 0..<50: try Self.commit(&files, &generator)
                case 50..<65: try files.pin(Self.someCommit(files, &generator))
                case 65..<80:
                    if let commit = files.pins.keys.sorted().randomElement(using: &generator) {
                        files.unpin(commit)
                    }
                case 80..<98: try Self.checkpoint(&files, &generator)
                default: files.reopen()
                }
                try files.checkPins("after a step")
                let known = files.versions.keys.sorted()
                try files.checkChanges(after: known.randomElement(using: &generator)!)
            }
        }
    }

    /// The same with replicas that begin, pull, expire and are dropped for want of room, and with
    /// a process that dies at any step of saving images. What a replica must see is there after
    /// every step, however often the process ended.
    func testReplicasSeeWhatTheyMust() {
        var dropCount = 0
        var cancelCount = 0
        forEachSeed(count: 40) { generator in
            var files = SimulatedFiles(
                limits: HistoryLimits(
                    minimumQuota: generator.number(0...60),
                    retention: Int64(generator.number(20...400))))
            // Some processes live long enough to collect snapshots.
            let isCalm = generator.chance(3)
            for _ in 0..<120 {
                files.now += Int64(generator.number(0...3))
                switch generator.number(0...99) {
                case 0..<40: try Self.commit(&files, &generator)
                case 40..<44: try files.pin(Self.someCommit(files, &generator))
                case 44..<54 where isCalm: try files.pin(files.state.head)
                case 44..<49:
                    let held = files.pins.keys.sorted() + files.cancelledPins.keys.sorted()
                    if let commit = held.randomElement(using: &generator) { files.unpin(commit) }
                case 49..<54:
                    files.state.addReplica(ReplicaID(generator.next()), now: files.now)
                    files.recordReplicas()
                case 54..<76: Self.useReplica(&files, &generator)
                case 76..<93: try Self.checkpoint(&files, &generator)
                case 93... where isCalm: try Self.checkpoint(&files, &generator)
                case 93..<97:
                    try files.checkpoint(.diedSaving(step: generator.number(0...6)))
                default: files.reopen()
                }
                try files.checkPins("after a step")
                try files.checkReplicas("after a step")
            }
            dropCount += files.dropCount
            cancelCount += files.cancelCount
        }
        XCTAssertGreaterThan(dropCount, 0, "no replica was ever dropped")
        XCTAssertGreaterThan(cancelCount, 0, "no snapshot was ever cancelled")
    }

    private static func useReplica(
        _ files: inout SimulatedFiles, _ generator: inout SeededGenerator
    ) {
        let all = files.state.replicas.replicas.values.sorted { $0.id.rawValue < $1.id.rawValue }
        guard let replica = all.randomElement(using: &generator) else { return }
        switch generator.number(0...9) {
        case 0: _ = files.state.useReplica(replica.id, now: files.now)
        case 1 where generator.chance(3):
            // An operator drops it.
            _ = files.state.removeReplica(replica.id)
            files.recordReplicas()
        case 1...4:
            // It names what it has: usually one of the two, sometimes anything.
            let commit = [
                replica.sent.commit, replica.echoed.commit, someCommit(files, &generator),
            ]
            .randomElement(using: &generator)!
            if files.state.replica(replica.id, echoed: commit, now: files.now) {
                files.recordReplicas()
            }
            let now = files.state.replicas[replica.id]!
            if commit == replica.sent.commit || commit == replica.echoed.commit, !now.isFull {
                precondition(now.sent.commit == commit && now.echoed.commit == commit)
            }
        default:
            let head = files.state.head
            if files.state.replica(replica.id, isSent: head, isWhole: generator.chance(20)) {
                files.recordReplicas()
            }
            precondition(replica.isFull || files.state.replicas[replica.id]!.sent.commit == head)
        }
    }

    private static func someCommit(
        _ files: SimulatedFiles, _ generator: inout SeededGenerator
    ) -> CommitNumber {
        let head = files.state.head.rawValue
        let back = UInt64(generator.number(0...6))
        return CommitNumber(head > back ? head - back : head)
    }

    private static func commit(
        _ files: inout SimulatedFiles, _ generator: inout SeededGenerator
    ) throws {
        let size = files.databaseSize
        var newSize = size
        switch generator.number(0...5) {
        case 0: newSize = generator.number(1...size)
        case 1, 2: newSize = min(40, size + generator.number(1...5))
        default: break
        }
        var pages = Set<UInt32>([1])
        for _ in 0..<generator.number(0...5) { pages.insert(UInt32(generator.number(1...newSize))) }
        if newSize > size {
            // SQLite writes every page that it grows by; none but the lock page is left out.
            pages.formUnion((size + 1...newSize).map { UInt32($0) })
        } else if newSize < size, generator.chance(4) {
            pages.insert(UInt32(size))
        }
        try files.commit(
            pages: pages.shuffled(using: &generator), size: newSize,
            startOver: !generator.chance(3))
    }

    private static func checkpoint(
        _ files: inout SimulatedFiles, _ generator: inout SeededGenerator
    ) throws {
        switch generator.number(0...5) {
        case 0: try files.checkpoint(.failed(afterPages: generator.number(0...4)))
        case 1...2 where !files.walCommits.isEmpty:
            try files.checkpoint(
                .heldUpByReader(atCommit: generator.number(0...files.walCommits.count - 1)))
        default: try files.checkpoint(.complete)
        }
    }

    /// Growth may leave out the lock page; its content is zeros wherever it would be.
    func testTheLockPageIsZerosAndCountsAsChangedByGrowth() {
        let size = PageNumber.lockPage.rawValue + 3
        var state = DatabaseState(
            databaseID: DatabaseID(high: 1, low: 1),
            epochs: EpochTable(entries: [.init(epoch: Epoch(1), start: CommitNumber(0))]),
            base: CommitNumber(1), databaseSize: size - 5, changes: ChangeIndex(),
            exactFloor: CommitNumber(1))
        state.append(
            pages: [1] + (size - 4...size).filter { $0 != PageNumber.lockPage.rawValue },
            databaseSize: size)
        XCTAssertTrue(state.addPin(CommitNumber(2), now: 0))
        XCTAssertEqual(state.location(of: .lockPage, at: CommitNumber(2)), .zeros)
        XCTAssertEqual(
            state.changes.pages(changedAfter: CommitNumber(1), databaseSize: size).map(\.rawValue),
            [1] + Array(size - 4...size))
        state.append(pages: [1], databaseSize: 1)
        let plan = state.prepareCheckpoint(
            HistoryLimits(minimumQuota: 0, retention: 1), now: 0)
        XCTAssertFalse(plan.doomed.contains { $0.page == .lockPage })
    }

    func testCommitsThatACheckpointPassedCannotBePinnedAnew() {
        var files = SimulatedFiles()
        XCTAssertNoThrow(try files.commit(pages: [1, 2], size: 2, startOver: true))
        XCTAssertNoThrow(try files.commit(pages: [2], size: 2, startOver: true))
        XCTAssertTrue(try files.pin(CommitNumber(2)))
        XCTAssertNoThrow(try files.checkpoint(.complete))
        XCTAssertFalse(try files.pin(CommitNumber(1)))
        // Its images were saved for the pin that there was, so another one can share them.
        XCTAssertTrue(try files.pin(CommitNumber(2)))
        XCTAssertTrue(try files.pin(CommitNumber(3)))
        XCTAssertFalse(files.state.addPin(CommitNumber(4), now: 0))
    }

    /// A checkpoint of the process before copied newer pages over what older commits held.
    func testCommitsBeforeARecordedCheckpointCannotBePinnedAfterReopening() {
        var files = SimulatedFiles()
        XCTAssertNoThrow(try files.commit(pages: [1, 2], size: 2, startOver: true))
        XCTAssertNoThrow(try files.commit(pages: [2], size: 2, startOver: true))
        XCTAssertNoThrow(try files.checkpoint(.failed(afterPages: 1)))
        XCTAssertNoThrow(try files.commit(pages: [2], size: 2, startOver: true))
        files.reopen()
        XCTAssertFalse(files.state.addPin(CommitNumber(2), now: 0))
        XCTAssertTrue(try files.pin(CommitNumber(3)))
        XCTAssertTrue(try files.pin(CommitNumber(4)))
        XCTAssertNoThrow(try files.checkPins("after reopening"))
    }

    func testRevisionsAreKnownByDatabaseEpochAndCommit() {
        let id = DatabaseID(high: 1, low: 2)
        var state = DatabaseState(
            databaseID: id,
            epochs: EpochTable(entries: [.init(epoch: Epoch(1), start: CommitNumber(0))]),
            base: CommitNumber(5), databaseSize: 1, changes: ChangeIndex(),
            exactFloor: CommitNumber(5))
        state.begin(Epoch(2))
        XCTAssertEqual(state.headRevision.epoch, Epoch(1), "nothing was written yet")
        state.append(pages: [1], databaseSize: 1)
        let rows: [(id: DatabaseID, epoch: UInt64, commit: UInt64, isKnown: Bool)] = [
            (id, 1, 5, true), (id, 1, 1, true), (id, 1, 0, false), (id, 2, 6, true),
            (id, 1, 6, false), (id, 2, 5, false), (id, 2, 7, false), (id, 3, 6, false),
            (DatabaseID(high: 1, low: 3), 2, 6, false),
        ]
        for row in rows {
            let revision = Revision(
                databaseID: row.id, epoch: Epoch(row.epoch), commit: CommitNumber(row.commit))
            XCTAssertEqual(state.knows(revision), row.isKnown, "\(row)")
        }
    }
}
