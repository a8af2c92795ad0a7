import Primitives
import Replication
import XCTest

final class PageDictionaryTests: XCTestCase {
    func testThePagesAreThoseThatTheReplicaHas() {
        func choose(_ changed: ClosedRange<UInt32>, _ databaseSize: UInt32) -> [UInt32] {
            PageDictionary.choose(
                changed: changed.map { PageNumber($0)! }, databaseSize: databaseSize
            ).map(\.rawValue)
        }
        let lock = PageNumber.lockPage.rawValue
        let rows: [(ClosedRange<UInt32>, UInt32, [UInt32])] = [
            // The first page never.
            (1...1, 10, []), (1...5, 3, [2, 3]), (20...30, 10, []), (7...7, 7, [7]),
            (1...1000, 900, Array(2...257)), (lock - 1...lock + 1, lock + 1, [lock - 1, lock + 1]),
        ]
        for (changed, databaseSize, expected) in rows {
            XCTAssertEqual(choose(changed, databaseSize), expected, "\(changed)")
        }
    }
}
