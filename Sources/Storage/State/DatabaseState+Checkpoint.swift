package import Primitives

/// How much old images may take.
package struct HistoryLimits: Sendable {
    /// Pages that the history may always hold; twice the largest pinned state, if that is more.
    package var minimumQuota: Int
    /// Seconds after its last use at which a replica is forgotten.
    package var retention: Int64

    package init(minimumQuota: Int, retention: Int64) {
        self.minimumQuota = minimumQuota
        self.retention = retention
    }
}

/// What has to be done before a checkpoint may write.
package struct CheckpointPlan {
    package enum DropReason: String, Sendable { case expired, quota }

    /// Images to be saved.
    package var doomed: [DatabaseState.DoomedImage] = []
    package var droppedReplicas: [(replica: Replica, reason: DropReason)] = []
    /// Commits whose snapshots can be read no more.
    package var cancelledCommits: [CommitNumber] = []
}

/// Checkpoints: which images they would make unreachable, and who has to go if these are too many.
extension DatabaseState {
    /// What must be saved before a checkpoint begins. From here on only the head and the pinned
    /// commits can be read exactly.
    ///
    /// Slots of images that nobody needs any more are given back by `historyIsRecorded`, after
    /// the replicas' changes were written down.
    package mutating func prepareCheckpoint(_ limits: HistoryLimits, now: Int64) -> CheckpointPlan {
        var plan = CheckpointPlan()
        for id in replicas.expired(now: now, retention: limits.retention) {
            guard let replica = removeReplica(id) else { continue }
            plan.droppedReplicas.append((replica, .expired))
        }
        exactFloor = head
        collectImages(&plan)
        var pinned = pinCount
        while history.imageCount + plan.doomed.count > quota(limits), dropLongestUnused(&plan) {
            if pinCount != pinned { collectImages(&plan) }
            pinned = pinCount
        }
        return plan
    }

    private mutating func collectImages(_ plan: inout CheckpointPlan) {
        dropUnneededImages()
        plan.doomed = doomedImages(pins: readablePins.filter { $0 < head })
    }

    /// Drops the images that no pin needs. Their slots are given back by `historyIsRecorded`.
    package mutating func dropUnneededImages() {
        history.dropImages(notNeededBy: readablePins)
    }

    private var readablePins: [CommitNumber] {
        pins.filter { !$0.value.isCancelled }.keys.sorted()
    }

    private func quota(_ limits: HistoryLimits) -> Int {
        let largest = pins.values.lazy.filter { !$0.isCancelled }.map(\.databaseSize).max() ?? 0
        return max(limits.minimumQuota, 2 * Int(largest))
    }

    /// Drops the pin that was not used for the longest time. False if there is none.
    private mutating func dropLongestUnused(_ plan: inout CheckpointPlan) -> Bool {
        let snapshot = pins.filter { commit, pin in
            commit < head && pin.snapshotCount > 0 && !pin.isCancelled
        }.min { ($0.value.lastSnapshot, $0.key) < ($1.value.lastSnapshot, $1.key) }
        let replica = longestUnusedReplica
        if let replica, replica.lastUse <= snapshot?.value.lastSnapshot ?? .max {
            plan.droppedReplicas.append((replica, .quota))
            _ = removeReplica(replica.id)
            return true
        }
        guard let commit = snapshot?.key else { return false }
        // A replica that holds the same commit keeps it; it is dropped by a later turn if need be.
        guard pins[commit]?.replicaCount == 0 else {
            return dropReplicas(at: commit, &plan)
        }
        pins[commit]?.isCancelled = true
        plan.cancelledCommits.append(commit)
        return true
    }

    private mutating func dropReplicas(
        at commit: CommitNumber, _ plan: inout CheckpointPlan
    ) -> Bool {
        let holders = replicas.replicas.values.filter { $0.pinnedCommits.contains(commit) }
        guard let oldest = holders.min(by: { $0.lastUse < $1.lastUse }) else { return false }
        plan.droppedReplicas.append((oldest, .quota))
        _ = removeReplica(oldest.id)
        return true
    }

    private func doomedImages(pins older: [CommitNumber]) -> [DoomedImage] {
        guard !older.isEmpty else { return [] }
        var doomed: [DoomedImage] = []
        for rawPage in frames.changedPages {
            guard let page = PageNumber(rawPage) else { continue }
            collectDoomed(page, pins: older, into: &doomed)
        }
        collectCutOff(pins: older, into: &doomed)
        return doomed
    }

    /// Images of a page that has frames: each one that a pin sees and that is not the newest.
    private func collectDoomed(
        _ page: PageNumber, pins older: [CommitNumber], into doomed: inout [DoomedImage]
    ) {
        var coveredUntil = CommitNumber(0)
        for commit in older where commit >= coveredUntil {
            guard let pin = pins[commit], page.rawValue <= pin.databaseSize else { continue }
            let end: CommitNumber
            if let next = frames.oldestFrame(of: page, after: pin.frameLimit) {
                end = self.commit(ofFrame: next)
            } else if page.rawValue > databaseSize {
                end = head  // A shrink cut it off after its last frame.
            } else {
                continue
            }
            let location = location(of: page, at: commit, pin: pin)
            if case .history = location { continue }
            // The image holds from this pin on at least; earlier pins were looked at before.
            doomed.append(DoomedImage(page: page, from: commit, to: end, location: location))
            coveredUntil = end
        }
    }

    /// Images of pages without a frame that a shrink cut off: the checkpoint truncates the file.
    private func collectCutOff(
        pins older: [CommitNumber], into doomed: inout [DoomedImage]
    ) {
        let largest = older.compactMap { pins[$0]?.databaseSize }.max() ?? 0
        guard largest > databaseSize else { return }
        for rawPage in databaseSize + 1...largest {
            guard let page = PageNumber(rawPage), page != .lockPage,
                frames.newestFrame(of: page) == nil
            else { continue }
            // The oldest pin that reaches that far and has no image yet; newer ones share it.
            for commit in older where (pins[commit]?.databaseSize ?? 0) >= rawPage {
                guard history.image(of: page, at: commit) == nil else { continue }
                doomed.append(
                    DoomedImage(page: page, from: commit, to: head, location: .mainFile))
                break
            }
        }
    }

    /// Slots of the history file to save images in.
    package mutating func takeHistorySlots(_ count: Int) -> [Int] {
        (0..<count).map { _ in history.takeSlot() }
    }

    /// The images could not be saved.
    package mutating func returnHistorySlots(_ slots: [Int]) { history.returnSlots(slots) }

    /// Doomed images were saved; they are looked up there from now on.
    package mutating func saved(_ images: [(page: PageNumber, image: PageHistory.Image)]) {
        for (page, image) in images { history.add(page, image) }
    }

    /// All changes of replicas are on the disk that came before the last `prepareCheckpoint`.
    package mutating func historyIsRecorded() { history.reuseDroppedSlots() }

    /// The images are saved and the main file is about to change.
    package mutating func checkpointBegins() { layout += 1 }

    /// - Parameter isComplete: every frame is in the main file, which is durable; the next commit
    ///   may start the WAL over.
    package mutating func checkpointEnded(isComplete: Bool) {
        guard isComplete else { return }
        // A commit that is pinned now either is the head, which the main file holds, or had its
        // images saved.
        frames.removeAll(nextFrame: frames.lastFrame + 1)
        for commit in pins.keys { pins[commit]?.frameLimit = 0 }
        commits = [Commit(lastFrame: 0, databaseSize: databaseSize)]
        firstCommit = head
        layout += 1
    }

    /// The commit that a frame of the open segment belongs to.
    private func commit(ofFrame frame: UInt32) -> CommitNumber {
        var low = 0
        var high = commits.count
        while low < high {
            let middle = (low + high) / 2
            if commits[middle].lastFrame < frame { low = middle + 1 } else { high = middle }
        }
        return CommitNumber(firstCommit.rawValue + UInt64(low))
    }
}
