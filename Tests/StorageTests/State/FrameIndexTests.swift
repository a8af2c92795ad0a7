import Primitives
import Storage
import TestSupport
import XCTest

final class FrameIndexTests: XCTestCase {
    func testItAnswersAsAListDoes() {
        forEachSeed { generator in
            var index = FrameIndex()
            var first: UInt32 = 1
            var model: [UInt32] = []
            for _ in 0..<300 {
                if generator.chance(60) {
                    first = generator.chance(2) ? 1 : first + UInt32(model.count)
                    model = []
                    index.removeAll(nextFrame: first)
                }
                let page = UInt32(generator.number(1...12))
                model.append(page)
                index.append(PageNumber(page)!)
                try Self.compare(index, model, first, &generator)
            }
        }
    }

    private static func compare(
        _ index: FrameIndex, _ model: [UInt32], _ first: UInt32,
        _ generator: inout SeededGenerator
    ) throws {
        let last = first + UInt32(model.count) - 1
        try require(index.lastFrame == last && index.frameCount == model.count, "counts")
        try require(Set(index.changedPages) == Set(model), "changed pages")
        let page = UInt32(generator.number(1...13))
        let limit = UInt32(generator.number(0...Int(last) + 2))
        let numbered = zip(first..., model).filter { $0.1 == page }.map(\.0)
        let number = PageNumber(page)!
        try require(index.newestFrame(of: number) == numbered.last, "newest of \(page)")
        try require(
            index.newestFrame(of: number, upTo: limit) == numbered.last { $0 <= limit },
            "newest of \(page) up to \(limit)")
        try require(
            index.oldestFrame(of: number, after: limit) == numbered.first { $0 > limit },
            "oldest of \(page) after \(limit)")
    }
}
