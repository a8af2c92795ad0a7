import Primitives
import Replication
import TestSupport
import XCTest

final class DictionaryPagesTests: XCTestCase {
    private func choose(_ changed: [UInt32], _ databaseSize: UInt32) -> [UInt32] {
        DictionaryPages.choose(
            changed: changed.compactMap { PageNumber($0) }, databaseSize: databaseSize
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
            XCTAssertLessThanOrEqual(chosen.count, DictionaryPages.maximumCount)
            XCTAssertEqual(chosen, Array(Set(chosen)).sorted())
            XCTAssertTrue(Set(chosen).isDisjoint(with: changed))
            XCTAssertTrue(chosen.allSatisfy { $0 > 1 && $0 <= size })
        }
    }
}
