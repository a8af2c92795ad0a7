import Primitives
import Storage
import TestSupport
import XCTest

final class ChangeIndexTests: XCTestCase {
    func testItAnswersAsADictionaryDoes() {
        forEachSeed { generator in
            var index = ChangeIndex()
            var model: [UInt32: UInt64] = [:]
            var commit: UInt64 = 0
            for _ in 0..<100 {
                commit += UInt64(generator.number(1...3))
                for _ in 0...generator.number(0...6) {
                    let page = UInt32(generator.number(1...(generator.chance(20) ? 400 : 40)))
                    index.record(PageNumber(page)!, changedBy: CommitNumber(commit))
                    model[page] = commit
                }
                try Self.compare(
                    index, model, UInt64(generator.number(0...Int(commit) + 1)), &generator)
            }
            try Self.compareCopy(index)
        }
    }

    private static func compare(
        _ index: ChangeIndex, _ model: [UInt32: UInt64], _ since: UInt64,
        _ generator: inout SeededGenerator
    ) throws {
        let size = UInt32(generator.number(0...50))
        let newer = model.filter { $0.value > since }
        try require(
            index.pages(changedAfter: CommitNumber(since), databaseSize: size).map(\.rawValue)
                == newer.keys.filter { $0 <= size }.sorted(), "pages after \(since)")
        let changes = index.changes(after: CommitNumber(since))
        try require(
            Dictionary(uniqueKeysWithValues: changes.map { ($0.page.rawValue, $0.commit.rawValue) })
                == newer, "changes after \(since)")
        let commits = changes.map(\.commit)
        try require(commits == commits.sorted(), "changes in the order of their commits")
        let page = UInt32(generator.number(1...60))
        try require(
            index.lastChange(of: PageNumber(page)!)?.rawValue == model[page], "page \(page)")
    }

    /// What a change file holds brings another index to the same state.
    private static func compareCopy(_ index: ChangeIndex) throws {
        var copy = ChangeIndex()
        for change in index.changes(after: CommitNumber(0)) {
            copy.record(change.page, changedBy: change.commit)
        }
        for page in UInt32(1)...400 {
            let page = PageNumber(page)!
            try require(copy.lastChange(of: page) == index.lastChange(of: page), "the copy")
        }
    }

    func testAnEmptyIndexKnowsNothing() {
        let index = ChangeIndex()
        XCTAssertEqual(index.pages(changedAfter: CommitNumber(0), databaseSize: .max), [])
        XCTAssertNil(index.lastChange(of: PageNumber(1)!))
        XCTAssertTrue(index.changes(after: CommitNumber(0)).isEmpty)
    }
}
