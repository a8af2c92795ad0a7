package import Primitives

/// Where the frames of the WAL's open segment hold each page, by frame number.
///
/// Frames of one page are chained from newest to oldest, so that the frame that a reader of an
/// older commit must see is found by walking back. Only committed frames are in here.
package struct FrameIndex {
    /// Number of the frame that `pages[0]` describes.
    private var firstFrame: UInt32 = 1
    private var pages: [UInt32] = []
    /// For each frame the previous frame of the same page; 0 for none.
    private var previousFrames: [UInt32] = []
    private var newestFrames: [UInt32: UInt32] = [:]

    package init() {}

    /// Number of the newest frame; one less than the first one while the index is empty.
    package var lastFrame: UInt32 { firstFrame + UInt32(pages.count) - 1 }
    package var frameCount: Int { pages.count }

    /// Pages that have a frame, in no order.
    package var changedPages: Dictionary<UInt32, UInt32>.Keys { newestFrames.keys }

    /// Adds the frame after `lastFrame`.
    package mutating func append(_ page: PageNumber) {
        let frame = lastFrame + 1
        pages.append(page.rawValue)
        previousFrames.append(newestFrames.updateValue(frame, forKey: page.rawValue) ?? 0)
    }

    /// The newest frame that holds `page` among the frames up to `limit`.
    package func newestFrame(of page: PageNumber, upTo limit: UInt32) -> UInt32? {
        guard var frame = newestFrames[page.rawValue] else { return nil }
        while frame > limit {
            frame = previousFrames[Int(frame - firstFrame)]
            if frame == 0 { return nil }
        }
        return frame
    }

    package func newestFrame(of page: PageNumber) -> UInt32? { newestFrames[page.rawValue] }

    /// The oldest frame of `page` beyond `limit`; nil if none is.
    package func oldestFrame(of page: PageNumber, after limit: UInt32) -> UInt32? {
        guard var frame = newestFrames[page.rawValue], frame > limit else { return nil }
        while true {
            let previous = previousFrames[Int(frame - firstFrame)]
            if previous == 0 || previous <= limit { return frame }
            frame = previous
        }
    }

    /// Forgets all frames; the next one to be appended is `frame`.
    package mutating func removeAll(nextFrame frame: UInt32) {
        firstFrame = frame
        pages.removeAll(keepingCapacity: pages.count < 16384)
        previousFrames.removeAll(keepingCapacity: previousFrames.count < 16384)
        newestFrames.removeAll(keepingCapacity: newestFrames.count < 16384)
    }
}
