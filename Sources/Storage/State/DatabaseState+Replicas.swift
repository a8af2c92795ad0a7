package import Primitives

/// Replicas: what each one must be able to read, as docs/architecture.md, "Partial replicas" has it.
extension DatabaseState {
    /// Adds a replica that begins with the head.
    ///
    /// - Parameter now: seconds since 1970.
    package mutating func addReplica(_ id: ReplicaID, now: Int64) {
        let base = Replica.Position(commit: head, databaseSize: databaseSize)
        set(Replica(id: id, baseEpoch: headRevision.epoch, base: base, lastUse: now))
    }

    /// The client named `commit` as what it has, in a pull.
    ///
    /// - Returns: whether that has to be written down at once; what is not can wait until the
    ///   next checkpoint.
    package mutating func replica(
        _ id: ReplicaID, echoed commit: CommitNumber, now: Int64
    ) -> Bool {
        let mustRecord = replicas.use(id, now: now)
        guard var replica = replicas[id], !replica.isFull else { return mustRecord }
        if commit == replica.sent.commit,
            replica.coverage?.covers(replica.base.databaseSize) == true
        {
            // It would not pull before it had everything it asked for.
            replica.isFull = true
            set(replica)
            return true
        }
        replicas.setCoverage(nil, of: id)
        guard commit >= replica.base.commit, let position = position(at: commit),
            position != replica.echoed || position != replica.sent
        else { return mustRecord }
        // Further back than was thought: in doubt after a crash the newer one would count.
        let movesBack = position.commit < replica.sent.commit
        replica.coverage = nil
        replica.echoed = position
        replica.sent = position
        set(replica)
        return mustRecord || movesBack
    }

    /// The answer that brings a replica to a pinned commit is about to be complete.
    ///
    /// - Parameter isWhole: it has every page.
    /// - Returns: whether that has to be written down before.
    package mutating func replica(
        _ id: ReplicaID, isSent commit: CommitNumber, isWhole: Bool
    ) -> Bool {
        guard var replica = replicas[id], !replica.isFull, let position = position(at: commit)
        else { return false }
        if isWhole {
            var coverage = PageCoverage()
            _ = coverage.add(0..<replica.base.databaseSize)
            replica.coverage = coverage
            replicas.setCoverage(coverage, of: id)
        }
        guard position != replica.sent else { return false }
        replica.sent = position
        set(replica)
        return true
    }

    /// A replica is no bootstrap in several requests.
    package mutating func replicaMissesPages(_ id: ReplicaID) {
        replicas.setCoverage(nil, of: id)
    }

    /// Pages of its base were sent to a replica.
    package mutating func replica(_ id: ReplicaID, received pages: [Range<UInt32>]) {
        guard var coverage = replicas[id]?.coverage else { return }
        var isFollowed = true
        for range in pages where isFollowed { isFollowed = coverage.add(range) }
        replicas.setCoverage(isFollowed ? coverage : nil, of: id)
    }

    /// Forgets a replica and lets go of its pins; it is to be written down.
    package mutating func removeReplica(_ id: ReplicaID) -> Replica? {
        guard let replica = replicas.remove(id) else { return nil }
        release(replica.pinnedCommits)
        return replica
    }

    /// A replica asked for something. True if that has to be written down now.
    package mutating func useReplica(_ id: ReplicaID, now: Int64) -> Bool {
        replicas.use(id, now: now)
    }

    /// Replicas that have to be written down, as they are now; nil for those that are gone.
    package mutating func takeReplicaChanges() -> [ReplicaID: Replica?] { replicas.takeChanges() }

    /// They could not be written down.
    package mutating func returnReplicaChanges(_ ids: some Sequence<ReplicaID>) {
        replicas.returnChanges(ids)
    }

    /// Takes over what a former process kept: replicas, and images whose slots are durable.
    ///
    /// - Returns: replicas with positions that this database never had, which are forgotten.
    package mutating func restore(
        _ saved: [Replica], images: [(page: PageNumber, image: PageHistory.Image)]
    ) -> [Replica] {
        var lost: [Replica] = []
        history.restore(images)
        for replica in saved {
            guard echoedAndSent(replica).allSatisfy({ $0.commit <= head }) else {
                lost.append(replica)
                replicas.forget(replica.id)
                continue
            }
            replicas.restore([replica])
            retainRestored(echoedAndSent(replica))
        }
        dropUnneededImages()
        history.reuseDroppedSlots()
        return lost
    }

    /// The one that was not used for the longest time among those that need more than the head.
    var longestUnusedReplica: Replica? {
        replicas.replicas.values
            .filter { $0.pinnedCommits.contains { $0 < head } }
            .min { ($0.lastUse, $0.base.commit) < ($1.lastUse, $1.base.commit) }
    }

    private func position(at commit: CommitNumber) -> Replica.Position? {
        if let pin = pins[commit] {
            return pin.isCancelled ? nil : .init(commit: commit, databaseSize: pin.databaseSize)
        }
        guard commit >= exactFloor, commit <= head else { return nil }
        let entry = commits[Int(commit.rawValue - firstCommit.rawValue)]
        return .init(commit: commit, databaseSize: entry.databaseSize)
    }

    private mutating func set(_ replica: Replica) {
        retain(replica.pinnedCommits)
        release(replicas[replica.id]?.pinnedCommits ?? [])
        replicas.set(replica)
    }

    private func echoedAndSent(_ replica: Replica) -> [Replica.Position] {
        if replica.isFull { return [] }
        return replica.echoed == replica.sent ? [replica.sent] : [replica.echoed, replica.sent]
    }

    /// Pins what a former process had pinned: every checkpoint that passed it saved its images.
    mutating func retainRestored(_ positions: [Replica.Position]) {
        for position in positions where pins[position.commit] == nil {
            let entry =
                position.commit < firstCommit
                ? nil : commits[Int(position.commit.rawValue - firstCommit.rawValue)]
            pins[position.commit] = Pin(
                databaseSize: position.databaseSize, frameLimit: entry?.lastFrame ?? 0)
        }
        retain(positions.map(\.commit))
    }

    mutating func retain(_ commits: [CommitNumber]) {
        for commit in commits {
            let isPinned = pin(commit)
            precondition(isPinned, "a replica's position cannot be read")
            pins[commit]?.replicaCount += 1
        }
    }

    mutating func release(_ commits: [CommitNumber]) {
        for commit in commits {
            precondition(pins[commit]?.replicaCount ?? 0 > 0, "a replica's pin is missing")
            pins[commit]?.replicaCount -= 1
            unpinIfUnused(commit)
        }
    }
}
