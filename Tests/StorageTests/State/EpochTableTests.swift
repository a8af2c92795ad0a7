import Primitives
import Storage
import XCTest

final class EpochTableTests: XCTestCase {
    func testEveryCommitBelongsToTheEpochThatBeganBeforeIt() {
        var table = EpochTable(entries: [.init(epoch: Epoch(10), start: CommitNumber(0))])
        table.begin(Epoch(20), after: CommitNumber(5))
        table.begin(Epoch(30), after: CommitNumber(9))
        let rows: [(commit: UInt64, epoch: UInt64?)] = [
            (0, nil), (1, 10), (5, 10), (6, 20), (9, 20), (10, 30), (1000, 30),
        ]
        for row in rows {
            XCTAssertEqual(
                table.epoch(of: CommitNumber(row.commit))?.rawValue, row.epoch, "\(row)")
        }
        XCTAssertTrue(table.knows(CommitNumber(10), in: Epoch(30), head: CommitNumber(10)))
        XCTAssertFalse(table.knows(CommitNumber(11), in: Epoch(30), head: CommitNumber(10)))
        XCTAssertFalse(table.knows(CommitNumber(0), in: Epoch(10), head: CommitNumber(10)))
    }

    func testAnEpochWithoutCommitsIsReplaced() {
        var table = EpochTable(entries: [.init(epoch: Epoch(1), start: CommitNumber(0))])
        table.begin(Epoch(2), after: CommitNumber(7))
        table.begin(Epoch(3), after: CommitNumber(7))
        XCTAssertEqual(table.entries.map(\.epoch.rawValue), [1, 3])
        XCTAssertEqual(table.epoch(of: CommitNumber(8)), Epoch(3))
    }

    func testTheOldestEpochsBecomeUnknown() {
        var table = EpochTable()
        for number in 0..<UInt64(EpochTable.capacity + 5) {
            table.begin(Epoch(number + 1), after: CommitNumber(number * 10))
        }
        XCTAssertEqual(table.entries.count, EpochTable.capacity)
        XCTAssertNil(table.epoch(of: CommitNumber(50)))
        XCTAssertEqual(table.epoch(of: CommitNumber(51)), Epoch(6))
        let head = CommitNumber(1 << 40)
        XCTAssertFalse(table.knows(CommitNumber(3), in: Epoch(1), head: head))
    }
}
