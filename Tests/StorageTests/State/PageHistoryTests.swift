import Primitives
import Storage
import XCTest

final class PageHistoryTests: XCTestCase {
    private struct Model {
        var page: UInt32
        var from: UInt64
        var to: UInt64
        var slot: Int
    }

    /// Images of one page never overlap, as the owner makes them.
    func testItFindsImagesAndReusesTheSlotsOfThoseNobodyNeeds() {
        forEachSeed { generator in
            var history = PageHistory()
            var model: [Model] = []
            var now: UInt64 = 1
            for _ in 0..<150 {
                now += 1
                if generator.chance(8) {
                    let pins = (0..<generator.number(0...3)).map { _ in
                        UInt64(generator.number(1...Int(now)))
                    }.sorted()
                    history.dropImages(notNeededBy: pins.map { CommitNumber($0) })
                    if generator.chance(2) { history.reuseDroppedSlots() }
                    model.removeAll { image in !pins.contains { image.from <= $0 && $0 < image.to }
                    }
                } else {
                    let page = UInt32(generator.number(1...5))
                    let newest = model.filter { $0.page == page }.map(\.to).max() ?? 0
                    guard newest < now else { continue }
                    let from = UInt64(generator.number(Int(newest)...Int(now) - 1))
                    let slot = history.takeSlot()
                    try require(!model.contains { $0.slot == slot }, "slot \(slot) is in use")
                    if generator.chance(10) {
                        history.returnSlots([slot])
                        continue
                    }
                    history.add(
                        PageNumber(page)!,
                        .init(
                            from: CommitNumber(from), to: CommitNumber(now), slot: slot,
                            checksum: UInt32(slot)))
                    model.append(Model(page: page, from: from, to: now, slot: slot))
                }
                try require(history.imageCount == model.count, "used slots")
                try require(history.isEmpty == model.isEmpty, "emptiness")
                for page in UInt32(1)...6 {
                    let commit = UInt64(generator.number(0...Int(now)))
                    let expected = model.first {
                        $0.page == page && $0.from <= commit && commit < $0.to
                    }
                    try require(
                        history.image(of: PageNumber(page)!, at: CommitNumber(commit))?.slot
                            == expected?.slot, "page \(page) at \(commit)")
                }
            }
        }
    }
}
