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
        /// CRC-32C of the content.
        package let checksum: UInt32

        package init(from: CommitNumber, to: CommitNumber, slot: Int, checksum: UInt32) {
            self.from = from
            self.to = to
            self.slot = slot
            self.checksum = checksum
        }
    }

    /// Images by page, ordered by `to`.
    private var images: [UInt32: [Image]] = [:]
    private(set) package var imageCount = 0
    /// Descending, so that the last one is the first in the file.
    private var freeSlots: [Int] = []
    /// Slots of images that were dropped in memory only: a crash would bring them back.
    private var droppedSlots: [Int] = []
    /// Slots that are in use, taken, dropped or free; those behind them were never used.
    private(set) package var slotCount = 0

    package init() {}

    package var isEmpty: Bool { images.isEmpty }

    /// All images, page by page.
    package var all: [(page: PageNumber, image: Image)] {
        images.flatMap { page, list in list.map { (PageNumber(page)!, $0) } }
    }

    /// The image of `page` at `commit`.
    ///
    /// Where several could hold, the one that ends first is meant: an image's `from` is only as
    /// early as was known when it was saved.
    package func image(of page: PageNumber, at commit: CommitNumber) -> Image? {
        images[page.rawValue]?.first { commit < $0.to && $0.from <= commit }
    }

    /// A slot that holds no image.
    package mutating func takeSlot() -> Int {
        if let slot = freeSlots.popLast() { return slot }
        slotCount += 1
        return slotCount - 1
    }

    /// Gives back slots that were taken and not used.
    package mutating func returnSlots(_ slots: [Int]) { free(slots) }

    /// Notes where the content is that `page` had from `image.from` until `image.to`.
    package mutating func add(_ page: PageNumber, _ image: Image) {
        var list = images[page.rawValue] ?? []
        list.insert(image, at: list.firstIndex { $0.to > image.to } ?? list.count)
        images[page.rawValue] = list
        imageCount += 1
    }

    /// Drops the images that none of `pins` (ascending) can ask for. Their slots are used again
    /// after `reuseDroppedSlots`.
    package mutating func dropImages(notNeededBy pins: [CommitNumber]) {
        guard !images.isEmpty else { return }
        images = images.compactMapValues { list in
            let kept = list.filter { image in
                let next = pins.partitionPoint { $0 < image.from }
                let isNeeded = next < pins.count && pins[next] < image.to
                if !isNeeded { droppedSlots.append(image.slot) }
                return isNeeded
            }
            imageCount -= list.count - kept.count
            return kept.isEmpty ? nil : kept
        }
    }

    /// Everything that says that dropped images are needed is gone from the disk, too.
    package mutating func reuseDroppedSlots() {
        free(droppedSlots)
        droppedSlots = []
    }

    /// Takes over what a former process saved: a later image in a slot takes the place of an
    /// earlier one, and slots in between are free.
    package mutating func restore(_ saved: [(page: PageNumber, image: Image)]) {
        precondition(isEmpty && slotCount == 0, "restoring over images")
        var newest: [Int: Int] = [:]
        for (index, entry) in saved.enumerated() { newest[entry.image.slot] = index }
        for (index, entry) in saved.enumerated() where newest[entry.image.slot] == index {
            add(entry.page, entry.image)
        }
        slotCount = (newest.keys.max() ?? -1) + 1
        free((0..<slotCount).filter { newest[$0] == nil })
    }

    private mutating func free(_ slots: [Int]) {
        guard !slots.isEmpty else { return }
        freeSlots += slots
        freeSlots.sort(by: >)
        // The file ends with a slot in use.
        var end = 0
        while end < freeSlots.count, freeSlots[end] == slotCount - 1 {
            slotCount -= 1
            end += 1
        }
        freeSlots.removeFirst(end)
    }
}

extension Array {
    /// The first index whose element does not satisfy `isBefore`, in an array where those that
    /// do come first.
    func partitionPoint(_ isBefore: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
