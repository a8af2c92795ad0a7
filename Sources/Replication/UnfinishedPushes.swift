package import Storage

/// Frames of one database that clients were told were taken, though no commit had them yet. Pure.
///
/// A client whose push broke off goes on behind them, without its baton. If somebody else
/// committed meanwhile, what the server has under their numbers is not what that client has, and
/// its next frames must not land behind it: it has to send again from where both still agreed.
package struct UnfinishedPushes: Equatable, Sendable {
    package struct Push: Equatable, Sendable {
        package let baton: PushBaton
        package let generation: UInt32
        /// The first one is that behind the newest commit when they came.
        package let frames: ClosedRange<UInt32>

        package init(baton: PushBaton, generation: UInt32, frames: ClosedRange<UInt32>) {
            self.baton = baton
            self.generation = generation
            self.frames = frames
        }
    }

    static let limit = 64

    /// The first generation all of whose pushes were noted here: it began in this process. Nil if
    /// there is none.
    package private(set) var completeSince: UInt32?
    package private(set) var pushes: [Push] = []

    /// - Parameter found: what former processes noted.
    package init(found: [UnfinishedFrames] = []) {
        pushes = found.map {
            Push(baton: PushBaton(""), generation: $0.generation, frames: $0.frames)
        }
    }

    /// What has to be known after a restart.
    package var frames: [UnfinishedFrames] {
        pushes.map { UnfinishedFrames(generation: $0.generation, frames: $0.frames) }
    }

    package mutating func began(generation: UInt32) {
        completeSince = min(completeSince ?? generation, generation)
    }

    /// Notes what is staged for a push; empty if all of it was committed.
    package mutating func note(_ staged: StagedFrames, under baton: PushBaton) {
        let old = pushes.first { $0.baton == baton }
        pushes.removeAll { $0.baton == baton || $0.generation + 1 < staged.generation }
        guard !staged.frames.isEmpty else { return }
        var last = staged.first + UInt32(staged.frames.count) - 1
        if let old, old.generation == staged.generation, old.frames.lowerBound == staged.first {
            last = max(last, old.frames.upperBound)
        }
        pushes.append(
            Push(baton: baton, generation: staged.generation, frames: staged.first...last))
        if pushes.count > Self.limit { mergeOldest() }
    }

    /// Two that are taken for one only make more frames be sent again.
    private mutating func mergeOldest() {
        let oldest = pushes.removeFirst()
        guard let index = pushes.firstIndex(where: { $0.generation == oldest.generation }) else {
            return pushes.append(oldest)
        }
        let other = pushes[index]
        let first = min(oldest.frames.lowerBound, other.frames.lowerBound)
        let last = max(oldest.frames.upperBound, other.frames.upperBound)
        pushes[index] = Push(
            baton: PushBaton(""), generation: oldest.generation, frames: first...last)
    }
}
