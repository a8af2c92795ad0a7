package import Storage
package import WireProtocol

/// What a push of frames meets: the generation that is current, as the only writer sees it.
package struct FramePushSituation: Equatable, Sendable {
    package var generation: UInt32
    /// The newest committed frame; 0 if there is none.
    package var lastFrame: UInt32
    package var hasAskedForCheckpoint: Bool
    /// The last frame of the generation before; nil if that is not known.
    package var previousEnd: UInt32?

    package init(
        generation: UInt32, lastFrame: UInt32, hasAskedForCheckpoint: Bool = false,
        previousEnd: UInt32? = nil
    ) {
        self.generation = generation
        self.lastFrame = lastFrame
        self.hasAskedForCheckpoint = hasAskedForCheckpoint
        self.previousEnd = previousEnd
    }

    package init(_ generation: FrameGeneration) {
        self.init(
            generation: generation.number, lastFrame: generation.lastFrame,
            hasAskedForCheckpoint: generation.hasAskedForCheckpoint,
            previousEnd: generation.previousEnd)
    }
}

/// Sizes of a generation, in frames, at which pushes are answered otherwise.
package struct FramePushLimits: Equatable, Sendable {
    /// From here on a client is asked once to let the generation end; 0 for never.
    package var checkpointNeeded: Int
    /// From here on nothing is taken.
    package var emergency: Int

    package init(checkpointNeeded: Int = 1000, emergency: Int = 121_359) {
        self.checkpointNeeded = checkpointNeeded
        self.emergency = emergency
    }
}

/// Decides about one push of frames; docs/protocol.md, "Frame sync", has the table whose rows
/// these are, in its order. Pure: the owner reads what it asks for and performs what it says, with
/// no other writer in between.
///
/// A client that does not know of the last roll yet counts on in the generation before. Its frames
/// behind that one's end are those of the current generation: frame `end + i` is frame `i`.
package struct FramePushPlan: Sendable {
    /// How the part of the push that the server has already compares with it.
    package enum Overlap: Equatable, Sendable {
        case notCompared, equal, different
    }

    /// Frames in answers are numbered as in the URL, all others as in the current generation.
    package enum Step: Equatable, Sendable {
        /// Read these frames, see `overlap(with:)`, and plan again.
        case compare(ClosedRange<UInt32>)
        /// Take nothing. What is staged for the client is of no use any more.
        case answer(FrameSyncAnswer.Status, lastFrame: UInt32)
        /// Note, durably, that clients were asked to let the generation end; then answer so.
        case askForCheckpoint(lastFrame: UInt32)
        /// Apply `transactions` if there are any, stage `rest`, whose first frame is `firstStaged`,
        /// and answer that all frames of the push were taken.
        case take(transactions: [WALFrame], rest: [WALFrame], firstStaged: UInt32)
    }

    private let range: FrameRange
    private let frames: [WALFrame]
    private let staged: StagedFrames?
    private let unfinished: UnfinishedPushes
    private let limits: FramePushLimits

    /// - Parameters:
    ///   - frames: as many as `range` has.
    ///   - staged: what the client's baton stands for; nil without one that is alive.
    ///   - unfinished: of the database.
    package init(
        range: FrameRange, frames: [WALFrame], staged: StagedFrames?,
        unfinished: UnfinishedPushes, limits: FramePushLimits
    ) {
        precondition(frames.count == range.count, "a push has the frames of its range")
        self.range = range
        self.frames = frames
        self.staged = staged
        self.unfinished = unfinished
        self.limits = limits
    }

    /// Compares page numbers, sizes and pages with frames that the server has, from the push's
    /// first one on.
    package func overlap(with stored: [WALFrame]) -> Overlap {
        frames.starts(with: stored) ? .equal : .different
    }

    package func step(
        _ situation: FramePushSituation, overlap: Overlap = .notCompared
    ) -> Step {
        guard let before = framesBeforeGeneration(situation) else {
            // The client knows only its own generation: numbers of another say nothing to it.
            let isLast = UInt64(range.generation) + 1 == UInt64(situation.generation)
            return .answer(.conflict, lastFrame: isLast ? situation.previousEnd ?? 0 : 0)
        }
        let newest = situation.lastFrame
        // What cannot be numbered is not taken.
        guard UInt64(before) + UInt64(newest) < UInt64(UInt32.max) else {
            return .answer(.checkpointNeeded, lastFrame: range.start - 1)
        }
        let start = range.start - before
        // A push under way whose next frame is the server's, too: both agree on all before it.
        let isSession = staged?.generation == situation.generation && staged?.first == newest + 1
        if let staged, !isSession, !staged.frames.isEmpty,
            staged.generation == situation.generation
        {
            // Somebody else's commit came in between.
            return .answer(.conflict, lastFrame: before + newest)
        }
        if !isSession, let agreed = lastAgreedFrame(newest: before + newest, situation) {
            return .answer(.ok, lastFrame: agreed)
        }
        guard start > newest else {
            switch overlap {
            case .notCompared: return .compare(start...min(range.last - before, newest))
            case .different: return .answer(.conflict, lastFrame: before + newest)
            case .equal:
                return tail(frames.dropFirst(Int(newest - start) + 1), situation, before)
            }
        }
        if start == newest + 1 { return tail(frames[...], situation, before) }
        return continuation(start, situation, before)
    }

    /// Nil if the push begins at, or before, the first frame that the server may have from
    /// somebody else, so that a comparison finds out. Otherwise the last frame before that one: the
    /// client has to send again from there. All numbers are as in the URL.
    private func lastAgreedFrame(newest: UInt32, _ situation: FramePushSituation) -> UInt32? {
        let isGap = range.start > newest && range.start - newest > 1
        let end = situation.previousEnd ?? 0
        let firsts = unfinished.pushes.compactMap { push -> UInt32? in
            let isOfURL = push.generation == range.generation
            guard isOfURL || push.generation == situation.generation else { return nil }
            let before = isOfURL ? 0 : end
            let (first, last) = (
                before + push.frames.lowerBound, before &+ push.frames.upperBound
            )
            let mayBeThis = first < range.start && (isGap || range.start - 1 <= last)
            return mayBeThis && first <= newest ? first : nil
        }
        if isGap {
            // What former processes took, nobody knows.
            guard let since = unfinished.completeSince, since <= range.generation else { return 0 }
            return min(newest, (firsts.min() ?? .max) - 1)
        }
        return firsts.min().map { $0 - 1 }
    }

    /// Frames that the client counts before the current generation's first one; nil if it does not
    /// count any of the current generation's.
    private func framesBeforeGeneration(_ situation: FramePushSituation) -> UInt32? {
        if range.generation == situation.generation { return 0 }
        guard UInt64(range.generation) + 1 == UInt64(situation.generation),
            let end = situation.previousEnd, range.start > end
        else { return nil }
        return end
    }

    /// The push begins behind the frame that would come next: it goes on with what is staged, or
    /// there is a gap.
    private func continuation(
        _ start: UInt32, _ situation: FramePushSituation, _ before: UInt32
    ) -> Step {
        let gap = Step.answer(.ok, lastFrame: before + situation.lastFrame)
        guard let staged, !staged.frames.isEmpty else { return gap }
        let index = Int(start - staged.first)
        guard index <= staged.frames.count else { return gap }
        // A batch that comes twice replaces itself.
        return tail(staged.frames[..<index] + frames, situation, before)
    }

    /// - Parameter frames: those from the one behind the newest on.
    private func tail(
        _ frames: ArraySlice<WALFrame>, _ situation: FramePushSituation, _ before: UInt32
    ) -> Step {
        let newest = situation.lastFrame
        if frames.isEmpty { return .take(transactions: [], rest: [], firstStaged: newest + 1) }
        if newest >= limits.emergency {
            return .answer(.checkpointNeeded, lastFrame: before + newest)
        }
        if staged == nil, limits.checkpointNeeded > 0, newest >= limits.checkpointNeeded,
            !situation.hasAskedForCheckpoint
        {
            return .askForCheckpoint(lastFrame: before + newest)
        }
        let end = frames.lastIndex { $0.databaseSize != 0 }.map { $0 + 1 } ?? frames.startIndex
        let transactions = frames[..<end]
        return .take(
            transactions: Array(transactions), rest: Array(frames[end...]),
            firstStaged: newest + UInt32(transactions.count) + 1)
    }
}
