import Primitives
import XCTest

@testable import Storage

final class RecoveryTests: XCTestCase {
    private static let salts = Meta.WALSalts(salt1: 100, salt2: 7)
    private static let next = Meta.WALSalts(salt1: 101, salt2: 99)
    private static let stamp = Meta.MainFileStamp(size: 8192, modified: 5)
    private static let otherStamp = Meta.MainFileStamp(size: 8192, modified: 6)

    /// The WAL of `meta` begins behind commit 50; commits up to 60 are recorded.
    private static func meta(
        hadWAL: Bool = true, walBase: UInt64 = 50, recorded: UInt64 = 60,
        isCheckpointing: Bool = false, isWALSpent: Bool = false
    ) -> Meta {
        Meta(
            databaseID: DatabaseID(high: 1, low: 1), epochs: EpochTable(),
            walSalts: hadWAL ? salts : nil, walBase: CommitNumber(walBase),
            recordedCommit: CommitNumber(recorded), isCheckpointing: isCheckpointing,
            isWALSpent: isWALSpent, mainFile: stamp)
    }

    private struct Row {
        let name: String
        var meta = RecoveryTests.meta()
        var wal: Recovery.WAL? = .init(salts: RecoveryTests.salts, commitCount: 10)
        var stamp = RecoveryTests.stamp
        var hasChangeIndex = true
        /// Base, head and exact floor; nil if the lineage breaks.
        let expected: (base: UInt64, head: UInt64, floor: UInt64)?
        let line: UInt = #line
    }

    func testWhatFilesMeanTogether() {
        let other = Meta.WALSalts(salt1: 500, salt2: 1)
        let rows = [
            Row(name: "nothing since the checkpoint", expected: (50, 60, 60)),
            Row(
                name: "the same WAL went on", wal: .init(salts: Self.salts, commitCount: 13),
                expected: (50, 63, 60)),
            Row(
                name: "it started over", wal: .init(salts: Self.next, commitCount: 3),
                expected: (60, 63, 60)),
            Row(
                name: "it started over without a commit",
                wal: .init(salts: Self.next, commitCount: 0), expected: (60, 60, 60)),
            Row(
                name: "the first salt wraps around",
                meta: {
                    var meta = Self.meta()
                    meta.walSalts = .init(salt1: .max, salt2: 0)
                    return meta
                }(), wal: .init(salts: .init(salt1: 0, salt2: 3), commitCount: 1),
                expected: (60, 61, 60)),
            Row(
                name: "recorded commits are missing",
                wal: .init(salts: Self.salts, commitCount: 9), expected: nil),
            Row(name: "the WAL is missing", wal: nil, expected: nil),
            Row(
                name: "another WAL", wal: .init(salts: other, commitCount: 20), expected: nil),
            Row(
                name: "the WAL of two lives later",
                wal: .init(salts: .init(salt1: 102, salt2: 0), commitCount: 20), expected: nil),
            Row(
                name: "the WAL of a life before",
                wal: .init(salts: .init(salt1: 99, salt2: 0), commitCount: 20), expected: nil),
            Row(name: "the main file changed", stamp: Self.otherStamp, expected: nil),
            Row(
                name: "the main file changed during a checkpoint",
                meta: Self.meta(isCheckpointing: true), stamp: Self.otherStamp,
                expected: (50, 60, 60)),
            Row(
                name: "a checkpoint and more commits", meta: Self.meta(isCheckpointing: true),
                wal: .init(salts: Self.salts, commitCount: 15), stamp: Self.otherStamp,
                expected: (50, 65, 60)),
            Row(name: "the change file is lost", hasChangeIndex: false, expected: nil),
            Row(
                name: "never checkpointed, no WAL",
                meta: Self.meta(hadWAL: false, walBase: 1, recorded: 1), wal: nil,
                expected: (1, 1, 1)),
            Row(
                name: "never checkpointed, first WAL",
                meta: Self.meta(hadWAL: false, walBase: 1, recorded: 1),
                wal: .init(salts: other, commitCount: 4), expected: (1, 5, 1)),
            Row(
                name: "never checkpointed, main file changed",
                meta: Self.meta(hadWAL: false, walBase: 1, recorded: 1),
                wal: nil, stamp: Self.otherStamp, expected: nil),
        ]
        check(rows + Self.rowsOfASpentWAL)
    }

    /// The main file had every commit up to the recorded one.
    private static var rowsOfASpentWAL: [Row] {
        let spent = meta(isWALSpent: true)
        let emptied = {
            var meta = meta(hadWAL: false, walBase: 60, isWALSpent: true)
            meta.isCheckpointing = true
            return meta
        }()
        let other = Meta.WALSalts(salt1: 500, salt2: 1)
        return [
            Row(name: "spent, untouched", meta: spent, expected: (50, 60, 60)),
            Row(
                name: "spent, and a reader kept it from starting over", meta: spent,
                wal: .init(salts: salts, commitCount: 12), expected: (50, 62, 60)),
            Row(
                name: "spent, and recorded commits are missing all the same", meta: spent,
                wal: .init(salts: salts, commitCount: 9), expected: nil),
            Row(name: "spent and emptied", meta: spent, wal: nil, expected: (60, 60, 60)),
            Row(
                name: "spent, emptied and begun by a new connection", meta: spent,
                wal: .init(salts: other, commitCount: 4), expected: (60, 64, 60)),
            Row(
                name: "spent, emptied and begun without a commit", meta: spent,
                wal: .init(salts: other, commitCount: 0), expected: (60, 60, 60)),
            Row(
                name: "spent and started over", meta: spent,
                wal: .init(salts: next, commitCount: 3), expected: (60, 63, 60)),
            Row(
                name: "spent and emptied, but another program wrote", meta: spent, wal: nil,
                stamp: otherStamp, expected: nil),
            Row(
                name: "spent, but the change file is lost", meta: spent, wal: nil,
                hasChangeIndex: false, expected: nil),
            Row(
                name: "emptied, and checkpointed again", meta: emptied, wal: nil,
                stamp: otherStamp, expected: (60, 60, 60)),
            Row(
                name: "emptied, checkpointed again, and begun by a new connection",
                meta: emptied, wal: .init(salts: other, commitCount: 2), stamp: otherStamp,
                expected: (60, 62, 60)),
        ]
    }

    private func check(_ rows: [Row]) {
        for row in rows {
            let recovery = Recovery(
                meta: row.meta, wal: row.wal, mainFile: row.stamp,
                hasChangeIndex: row.hasChangeIndex)
            guard let expected = row.expected else {
                checkBreak(recovery, row)
                continue
            }
            XCTAssertFalse(recovery.breaksLineage, row.name, line: row.line)
            XCTAssertEqual(recovery.walBase.rawValue, expected.base, row.name, line: row.line)
            XCTAssertEqual(recovery.head.rawValue, expected.head, row.name, line: row.line)
            XCTAssertEqual(recovery.exactFloor.rawValue, expected.floor, row.name, line: row.line)
        }
    }

    /// Numbers that were given out are not given out again.
    private func checkBreak(_ recovery: Recovery, _ row: Row) {
        XCTAssertTrue(recovery.breaksLineage, row.name, line: row.line)
        let count = row.wal?.commitCount ?? 0
        XCTAssertGreaterThan(
            recovery.walBase.rawValue, row.meta.recordedCommit.rawValue + count, row.name,
            line: row.line)
        XCTAssertEqual(
            recovery.head.rawValue, recovery.walBase.rawValue + count, row.name, line: row.line)
        XCTAssertEqual(recovery.exactFloor, recovery.head, row.name, line: row.line)
    }
}
