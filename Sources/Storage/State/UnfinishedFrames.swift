/// Frames that a client was told were taken, though no commit had them yet: they are in memory
/// only, and the client may count them as the server's for ever. Pure.
package struct UnfinishedFrames: Equatable, Sendable {
    package let generation: UInt32
    package let frames: ClosedRange<UInt32>

    package init(generation: UInt32, frames: ClosedRange<UInt32>) {
        self.generation = generation
        self.frames = frames
    }

    /// Whether these say as much of one push as `other` does.
    func covers(_ other: UnfinishedFrames) -> Bool {
        generation == other.generation && frames.lowerBound == other.frames.lowerBound
            && frames.upperBound >= other.frames.upperBound
    }

    /// The same with room for more: most pushes of many requests are written down once, and flushed
    /// once for that. Too many frames only make clients send more of them again.
    var withRoom: UnfinishedFrames {
        var room: UInt32 = 4096
        while room < frames.count { room *= 2 }
        let last = frames.lowerBound.addingReportingOverflow(room - 1)
        return UnfinishedFrames(
            generation: generation,
            frames: frames.lowerBound...(last.overflow ? .max : last.partialValue))
    }
}
