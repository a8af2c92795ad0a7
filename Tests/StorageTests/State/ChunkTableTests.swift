import Primitives
import TestSupport
import XCTest

@testable import Storage

final class ChunkTableTests: XCTestCase {
    private func key(_ index: Int, _ pageCount: Int, _ version: UInt64) -> ChunkTable<Int>.Key {
        .init(index: index, pageCount: pageCount, version: CommitNumber(version))
    }

    func testOnlyWhatWasMadeOfTheSameStateIsFound() {
        var table = ChunkTable<Int>()
        table.insert(7, size: 100, for: key(3, 256, 5))
        let rows: [(ChunkTable<Int>.Key, Int?)] = [
            (key(3, 256, 5), 7), (key(3, 256, 4), nil), (key(3, 256, 6), nil),
            (key(3, 255, 5), nil), (key(2, 256, 5), nil), (key(4, 256, 5), nil),
            (key(400, 256, 5), nil),
        ]
        for (key, content) in rows { XCTAssertEqual(table.content(of: key), content, "\(key)") }
    }

    func testTheSizeIsThatOfWhatCanBeFound() {
        var table = ChunkTable<Int>()
        table.insert(1, size: 100, for: key(3, 256, 5))
        table.insert(2, size: 30, for: key(0, 256, 5))
        XCTAssertEqual(table.liveSize, 130)
        table.insert(3, size: 7, for: key(3, 256, 9))
        XCTAssertEqual(table.liveSize, 37)
        table.removeAll()
        XCTAssertEqual(table.liveSize, 0)
        XCTAssertNil(table.content(of: key(3, 256, 9)))
    }

    /// Pages that change and databases that grow and shrink: whatever is found for a state is what
    /// the pages held then.
    func testWhatIsFoundIsTheStateAskedFor() {
        forEachSeed { generator in
            var changes = ChangeIndex()
            var table = ChunkTable<[Int]>()
            var head = 1
            var size = generator.number(1...40)
            var content = [Int](repeating: 1, count: 64)
            var hitCount = 0
            for _ in 0..<300 {
                if generator.chance(3) {
                    head += 1
                    let newSize = max(1, min(64, size + generator.number(-6...6)))
                    var changed = Set(
                        (0..<generator.number(0...3)).map { _ in
                            generator.number(1...newSize)
                        })
                    if newSize > size { changed.formUnion(size + 1...newSize) }
                    for page in changed.sorted() {
                        content[page - 1] = head
                        changes.record(
                            PageNumber(UInt32(page))!, changedBy: CommitNumber(UInt64(head)))
                    }
                    size = newSize
                }
                let index = generator.number(0...(size - 1) / 8)
                let pages = index * 8 + 1...min(index * 8 + 8, size)
                let version = changes.lastChange(
                    in: UInt32(pages.lowerBound)...UInt32(pages.upperBound))
                let key = ChunkTable<[Int]>.Key(
                    index: index, pageCount: pages.count, version: version)
                let wanted = pages.map { content[$0 - 1] }
                if let found = table.content(of: key) {
                    hitCount += 1
                    try require(found == wanted, "chunk \(index) at \(head)")
                } else {
                    table.insert(wanted, size: wanted.count, for: key)
                }
            }
            try require(hitCount > 20, "only \(hitCount) were found")
        }
    }
}
