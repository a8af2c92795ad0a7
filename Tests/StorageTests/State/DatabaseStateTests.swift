import Primitives
import Storage
import TestSupport
import XCTest

final class DatabaseStateTests: XCTestCase {
    /// Random commits, pins, checkpoints and restarts against a plain map of page versions.
    func testPinsReadWhatTheirCommitHeld() {
        forEachSeed { generator in
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
        XCTAssertTrue(state.addPin(CommitNumber(2)))
        XCTAssertEqual(state.location(of: .lockPage, at: CommitNumber(2)), .zeros)
        XCTAssertEqual(
            state.changes.pages(changedAfter: CommitNumber(1), databaseSize: size).map(\.rawValue),
            [1] + Array(size - 4...size))
        state.append(pages: [1], databaseSize: 1)
        XCTAssertFalse(state.prepareCheckpoint().contains { $0.page == .lockPage })
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
        XCTAssertFalse(files.state.addPin(CommitNumber(4)))
    }

    /// A checkpoint of the process before copied newer pages over what older commits held.
    func testCommitsBeforeARecordedCheckpointCannotBePinnedAfterReopening() {
        var files = SimulatedFiles()
        XCTAssertNoThrow(try files.commit(pages: [1, 2], size: 2, startOver: true))
        XCTAssertNoThrow(try files.commit(pages: [2], size: 2, startOver: true))
        XCTAssertNoThrow(try files.checkpoint(.failed(afterPages: 1)))
        XCTAssertNoThrow(try files.commit(pages: [2], size: 2, startOver: true))
        files.reopen()
        XCTAssertFalse(files.state.addPin(CommitNumber(2)))
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
