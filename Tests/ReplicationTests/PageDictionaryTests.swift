import Primitives
import Replication
import TestSupport
import XCTest

final class PageDictionaryTests: XCTestCase {
    private func choose(_ changed: [UInt32], _ databaseSize: UInt32) -> [UInt32] {
        PageDictionary.unchanged(
            near: changed.compactMap { PageNumber($0) }, databaseSize: databaseSize
        ).map(\.rawValue)
    }

    func testNeighboursOfWhatChangedAreChosen() {
        let rows: [([UInt32], UInt32, [UInt32])] = [
            ([], 100, []), ([5], 100, []),
            ([5, 50], 100, [4, 49]),
            ([5, 6], 100, [4, 7]),
            // The first page is never one.
            ([2, 3], 3, []), ([2, 3], 4, [4]),
            ([1, 2], 100, [3, 4]),
            (Array(1...100), 100, []),
        ]
        for (changed, size, expected) in rows {
            XCTAssertEqual(choose(changed, size), expected, "\(changed)")
        }
    }

    func testOldImagesAreThoseThatTheReplicaHas() {
        func old(_ changed: ClosedRange<UInt32>, _ size: UInt32) -> [UInt32] {
            PageDictionary.old(changed: changed.map { PageNumber($0)! }, databaseSize: size)
                .map(\.rawValue)
        }
        XCTAssertEqual(old(1...1, 10), [])
        XCTAssertEqual(old(1...5, 3), [2, 3])
        XCTAssertEqual(old(20...30, 10), [])
        XCTAssertEqual(old(1...1000, 900), Array(2...33))
        let lock = PageNumber.lockPage.rawValue
        XCTAssertEqual(old(lock - 1...lock + 1, lock + 1), [lock - 1, lock + 1])
    }

    func testTheLockPageHoldsNothing() {
        let lock = PageNumber.lockPage.rawValue
        XCTAssertFalse(choose([lock - 1, lock + 1], lock + 100).contains(lock))
    }

    func testChosenPagesExistAndDidNotChange() {
        var generator = SeededGenerator.announced(for: "dictionary pages")
        for _ in 0..<500 {
            let size = UInt32(generator.number(1...2000))
            let oneIn = generator.number(1...40)
            let changed = (1...size).filter { _ in generator.chance(oneIn) }
            let chosen = choose(changed, size)
            XCTAssertLessThanOrEqual(chosen.count, PageDictionary.maximumUnchangedCount)
            XCTAssertEqual(chosen, Array(Set(chosen)).sorted())
            XCTAssertTrue(Set(chosen).isDisjoint(with: changed))
            XCTAssertTrue(chosen.allSatisfy { $0 > 1 && $0 <= size })
        }
    }
}
