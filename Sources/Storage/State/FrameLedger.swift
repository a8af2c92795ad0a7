package import Primitives

/// What frame sync knows of the current generation: which of its frames end a commit, and where
/// each frame is. Pure.
///
/// Frames are numbered from 1 on and run on over many lives of SQLite's WAL: frame i of the
/// generation is frame `i - walOffset` of the WAL, while it is there.
package struct FrameLedger: Equatable, Sendable {
    package let number: UInt32
    package let base: Replica.Position
    package let baseEpoch: Epoch
    /// The last frame of each commit since the base, ascending.
    package private(set) var ends: [UInt32] = []
    /// Commits whose frames are in the archive, durably.
    package private(set) var archivedCommitCount = 0
    /// The frame before the WAL's first one; negative if the generation began within the WAL.
    private(set) var walOffset: Int64
    /// Clients were told once to let the generation end.
    package internal(set) var hasAskedForCheckpoint = false

    init(number: UInt32, base: Replica.Position, baseEpoch: Epoch, walOffset: Int64) {
        self.number = number
        self.base = base
        self.baseEpoch = baseEpoch
        self.walOffset = walOffset
    }

    /// The newest committed frame; 0 if there is none.
    package var lastFrame: UInt32 { ends.last ?? 0 }
    package var archivedFrame: UInt32 {
        archivedCommitCount == 0 ? 0 : ends[archivedCommitCount - 1]
    }

    /// The WAL's frame that holds a frame which is not in the archive.
    func walFrame(of frame: UInt32) -> UInt32 { UInt32(Int64(frame) - walOffset) }

    /// A commit whose last frame is `walFrame` of the WAL.
    mutating func append(walFrame: UInt32) { ends.append(UInt32(Int64(walFrame) + walOffset)) }

    mutating func walStartedOver() { walOffset = Int64(lastFrame) }

    /// What the log says of the archive, at opening.
    mutating func restore(archivedEnds: [UInt32]) {
        ends = archivedEnds
        archivedCommitCount = archivedEnds.count
    }

    /// Forgets commits that the WAL repeats; they are appended again from there.
    ///
    /// - Parameters:
    ///   - count: the commits of the generation before the WAL's first frame.
    ///   - baseFrame: the WAL's frame that ended the base, if that is in the WAL.
    mutating func rewind(toCommitCount count: Int, baseFrame: UInt32) {
        ends.removeLast(ends.count - count)
        walOffset = Int64(lastFrame) - Int64(baseFrame)
    }

    /// The archived commits are those of `ends`, though the WAL repeats some.
    mutating func archived(commitCount: Int) { archivedCommitCount = commitCount }

    /// The last frame of an answer that begins with `start`: whole commits, about `limit` frames.
    func end(from start: UInt32, limit: Int) -> UInt32 {
        let first = ends.partitionPoint { $0 < start }
        let next = ends.partitionPoint { Int($0) < Int(start) + limit }
        return ends[max(first, next - 1)]
    }
}

/// Frame sync of one database, for those who speak its protocol.
package struct FrameGeneration: Equatable, Sendable {
    package let number: UInt32
    /// The newest committed frame; 0 if there is none.
    package let lastFrame: UInt32
    package let base: Replica.Position
    /// Clients were told once to let the generation end.
    package let hasAskedForCheckpoint: Bool
    /// The last frame of the generation before; nil if there was none, or it is forgotten.
    package let previousEnd: UInt32?
}
