package import Primitives

/// Frame sync: the current generation's frames.
extension DatabaseState {
    /// Begins a generation with the head as its base. The base stays readable.
    ///
    /// - Precondition: the head's epoch is known, as it always is.
    package mutating func beginGeneration(_ number: UInt32) {
        let old = generation
        let base = Replica.Position(commit: head, databaseSize: databaseSize)
        retain([head])
        generation = FrameLedger(
            number: number, base: base, baseEpoch: headRevision.epoch,
            walOffset: -Int64(frames.lastFrame))
        if let old { release([old.base.commit]) }
    }

    /// Takes the last `beginGeneration` back: it could not be written down.
    package mutating func restoreGeneration(_ old: FrameLedger?) {
        let new = generation
        if let old { retain([old.base.commit]) }
        generation = old
        if let new { release([new.base.commit]) }
    }

    /// Takes over a generation that a former process began, before `restore` of the replicas.
    ///
    /// - Parameter archivedEnds: the last frame of each commit in the archive.
    /// - Returns: false if frames or the base are missing; then there is no generation.
    package mutating func restoreGeneration(
        number: UInt32, base: Replica.Position, baseEpoch: Epoch, archivedEnds: [UInt32],
        hasAskedForCheckpoint: Bool
    ) -> Bool {
        let gone = firstCommit.rawValue.subtractingReportingOverflow(base.commit.rawValue)
        let count = gone.overflow ? 0 : Int(clamping: gone.partialValue)
        guard base.commit <= head, archivedEnds.count >= count,
            UInt64(archivedEnds.count) <= head.rawValue - base.commit.rawValue
        else { return false }
        var ledger = FrameLedger(
            number: number, base: base, baseEpoch: baseEpoch, walOffset: 0)
        ledger.restore(archivedEnds: archivedEnds)
        let baseFrame =
            gone.overflow ? commits[Int(base.commit.rawValue - firstCommit.rawValue)].lastFrame : 0
        ledger.rewind(toCommitCount: count, baseFrame: baseFrame)
        for (index, commit) in commits.enumerated()
        where firstCommit.rawValue + UInt64(index) > max(base.commit, firstCommit).rawValue {
            ledger.append(walFrame: commit.lastFrame)
        }
        ledger.hasAskedForCheckpoint = hasAskedForCheckpoint
        generation = ledger
        retainRestored([base])
        return true
    }

    /// Frames from the archive's end on are in it, durably, up to a count of commits.
    package mutating func framesArchived(commitCount: Int, generation number: UInt32) {
        precondition(generation?.number == number, "the generation changed while it was archived")
        generation?.archived(commitCount: commitCount)
    }

    package mutating func noteCheckpointNeeded() { generation?.hasAskedForCheckpoint = true }
}
