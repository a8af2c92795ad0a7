package import Primitives

/// Where old images of pages are kept, for readers of revisions that a checkpoint has passed.
///
/// An image is the content of its page for every commit in `[from, to)`. Images sit in slots of
/// one page in the history file; this type only keeps the books.
package struct PageHistory {
    package struct Image: Equatable, Sendable {
        package let from: CommitNumber
        package let to: CommitNumber
        /// Slot number in the history file; its offset is `slot * pageSize`.
        package let slot: Int
    }

    /// Images by page, ordered by `to`.
    private var images: [UInt32: [Image]] = [:]
    private var freeSlots: [Int] = []
    private var slotCount = 0

    package init() {}

    package var isEmpty: Bool { images.isEmpty }
    package var usedSlotCount: Int { slotCount - freeSlots.count }

    /// The image of `page` at `commit`.
    ///
    /// Where several could hold, the one that ends first is meant: an image's `from` is only as
    /// early as was known when it was saved.
    package func slot(of page: PageNumber, at commit: CommitNumber) -> Int? {
        images[page.rawValue]?.first { commit < $0.to && $0.from <= commit }?.slot
    }

    /// A slot that holds no image.
    package mutating func takeSlot() -> Int {
        if let slot = freeSlots.popLast() { return slot }
        slotCount += 1
        return slotCount - 1
    }

    /// Gives back a slot that was taken and not filled.
    package mutating func returnSlot(_ slot: Int) { freeSlots.append(slot) }

    /// Notes that `slot` holds the content that `page` had from `from` until `to` replaced it.
    package mutating func add(
        _ page: PageNumber, from: CommitNumber, to: CommitNumber, slot: Int
    ) {
        let image = Image(from: from, to: to, slot: slot)
        var list = images[page.rawValue] ?? []
        list.insert(image, at: list.firstIndex { $0.to > to } ?? list.count)
        images[page.rawValue] = list
    }

    /// Drops the images that none of `pins` (ascending) can ask for; their slots are used again.
    package mutating func removeImages(notNeededBy pins: [CommitNumber]) {
        images = images.compactMapValues { list in
            let kept = list.filter { image in
                let isNeeded = pins.contains { image.from <= $0 && $0 < image.to }
                if !isNeeded { freeSlots.append(image.slot) }
                return isNeeded
            }
            return kept.isEmpty ? nil : kept
        }
        if images.isEmpty {
            freeSlots = []
            slotCount = 0
        }
    }
}
