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

        fileprivate func begins(with staged: StagedFrames) -> Bool {
            !staged.frames.isEmpty && generation == staged.generation
                && frames.lowerBound == staged.first
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

    /// Notes what will be staged for a push; none if all of it will be committed. What was staged
    /// before stays noted, because the commit may fail.
    package mutating func willTake(_ staged: StagedFrames, under baton: PushBaton) {
        pushes.removeAll { $0.generation + 1 < staged.generation }
        guard !staged.frames.isEmpty else { return }
        var last = staged.first + UInt32(staged.frames.count) - 1
        if let old = pushes.firstIndex(where: { $0.baton == baton && $0.begins(with: staged) }) {
            // The client may know of all of them.
            last = max(last, pushes.remove(at: old).frames.upperBound)
        }
        pushes.append(
            Push(baton: baton, generation: staged.generation, frames: staged.first...last))
        if pushes.count > Self.limit { mergeOldest() }
    }

    /// Notes that all else of a push was committed.
    package mutating func took(_ staged: StagedFrames, under baton: PushBaton) {
        pushes.removeAll { $0.baton == baton && !$0.begins(with: staged) }
    }

    /// Takes two of a generation for one; that only makes more frames be sent again.
    private mutating func mergeOldest() {
        for (index, oldest) in pushes.enumerated() {
            let rest = pushes[(index + 1)...]
            guard let next = rest.firstIndex(where: { $0.generation == oldest.generation })
            else { continue }
            let first = min(oldest.frames.lowerBound, pushes[next].frames.lowerBound)
            let last = max(oldest.frames.upperBound, pushes[next].frames.upperBound)
            pushes[next] = Push(
                baton: PushBaton(""), generation: oldest.generation, frames: first...last)
            pushes.remove(at: index)
            return
        }
    }
}
