internal import Logging
package import Primitives

/// Partial replicas, and the history that is kept for them. The rules are in
/// `DatabaseState+Replicas`; here they are made durable.
extension Database {
    /// A view of the newest commit for a client that begins with a part of the pages, and the
    /// name under which it will ask for the others. Durable when it returns.
    package func beginReplica() throws(StorageError) -> (snapshot: Snapshot, id: ReplicaID) {
        let id = ReplicaID(RandomIdentifier.uint64())
        let now = options.clock()
        let taken = state.withLock { state -> Result<(Revision, UInt32), StorageError> in
            if let closing = state.closing { return .failure(closing) }
            guard state.books.replicas.replicas.count < options.pinLimit else {
                return .failure(.tooManyPins(name))
            }
            state.books.addReplica(id, now: now)
            return .success(state.takeHead(now: now))
        }
        let (revision, databaseSize) = try taken.get()
        let snapshot = Snapshot(
            database: self, revision: revision.carrying(replica: id), databaseSize: databaseSize)
        try recordReplicas()
        return (snapshot, id)
    }

    /// What is known of the replica that a client says it is.
    package enum ReplicaStanding: Equatable, Sendable {
        case partial
        /// It has every page.
        case full
        /// Its history was dropped: it may miss pages that nobody can give it any more.
        case unknown
    }

    package func standing(of id: ReplicaID) -> ReplicaStanding {
        state.withLock { state in
            guard let replica = state.books.replicas[id] else { return .unknown }
            return replica.isFull ? .full : .partial
        }
    }

    /// A replica pulls, and names what it has.
    package func replica(_ id: ReplicaID, echoed commit: CommitNumber) throws(StorageError) {
        let now = options.clock()
        let mustRecord = state.withLock { $0.books.replica(id, echoed: commit, now: now) }
        if mustRecord { try recordReplicas() }
    }

    /// The last piece of an answer that brings a replica to `snapshot` goes out after this.
    ///
    /// - Parameter isWhole: the answer has every page.
    package func replica(
        _ id: ReplicaID, isSent snapshot: Snapshot, isWhole: Bool
    ) throws(StorageError) {
        let commit = snapshot.revision.commit
        let mustRecord = state.withLock {
            $0.books.replica(id, isSent: commit, isWhole: isWhole)
        }
        if mustRecord { try recordReplicas() }
    }

    /// A client that bootstraps in several requests was sent pages of its base; ids.
    package func replica(_ id: ReplicaID, received pages: [Range<UInt32>]) {
        state.withLock { $0.books.replica(id, received: pages) }
    }

    /// A client reads pages that it misses: it is no bootstrap in several requests. What it was
    /// sent says nothing of what it has, because it may lose an answer and go on.
    package func replicaMissesPages(_ id: ReplicaID) {
        state.withLock { $0.books.replicaMissesPages(id) }
    }

    /// The replicas that history is kept for, the one used last first.
    package var partialReplicas: [Replica] {
        state.withLock { $0.books.replicas.replicas.values.filter { !$0.isFull } }
            .sorted { ($0.lastUse, $0.id.rawValue) > ($1.lastUse, $1.id.rawValue) }
    }

    /// Forgets a replica, durably, and frees the history that only it needed. Its client can read
    /// no page that it misses, until its next pull brings it all of them.
    ///
    /// - Parameter completion: gets false if there is no such replica.
    package func dropReplica(
        _ id: ReplicaID, completion: @escaping @Sendable (Result<Bool, StorageError>) -> Void
    ) {
        write({ [self] _ throws(StorageError) in try drop(id) }, completion: completion)
    }

    private func drop(_ id: ReplicaID) throws(StorageError) -> Bool {
        let replica = state.withLock { state in
            let replica = state.books.removeReplica(id)
            state.books.dropUnneededImages()
            return replica
        }
        guard let replica else { return false }
        noteDropped(replica, reason: "operator")
        try recordReplicas()
        state.withLock { $0.books.historyIsRecorded() }
        try shrinkHistory()
        return true
    }

    /// Writes down what changed of the replicas, together with what others changed meanwhile.
    func recordReplicas() throws(StorageError) {
        _ = try record(images: [])
    }

    // MARK: at a checkpoint

    var historyLimits: HistoryLimits {
        HistoryLimits(
            minimumQuota: Int(options.historyQuota) / pageSize,
            retention: options.pinRetention.components.seconds)
    }

    /// Saves what a checkpoint is about to make unreachable. What replicas need is durable when
    /// it returns; for snapshots alone, which do not outlive the process, nothing is flushed.
    ///
    /// - Returns: the number of the history log's newest record.
    func saveHistory(_ plan: CheckpointPlan) throws(StorageError) -> UInt64 {
        for dropped in plan.droppedReplicas {
            noteDropped(dropped.replica, reason: dropped.reason.rawValue)
        }
        for commit in plan.cancelledCommits {
            logger.warning(
                "snapshot_dropped",
                [("database", name.text), ("commit", "\(commit.rawValue)"), ("reason", "quota")])
        }
        // First what is not needed any more, durably; then its slots may be used again.
        try recordReplicas()
        let outlivesProcess = state.withLock { state in
            state.books.historyIsRecorded()
            return state.books.hasDurablePins
        }
        let images = try save(plan.doomed, isDurable: outlivesProcess)
        state.withLock { $0.books.saved(images) }
        try shrinkHistory()
        return historyLog.withLock { $0.sequence }
    }

    private func noteDropped(_ replica: Replica, reason: String) {
        guard !replica.isFull else { return }
        droppedPinCount.add(1, ordering: .relaxed)
        logger.warning(
            "pin_dropped",
            [
                ("database", name.text), ("pin", replica.id.hexadecimal), ("reason", reason),
                ("last_use", "\(replica.lastUse)"),
            ])
    }

    /// Copies images to the history file. Nothing can move them meanwhile: that takes the writer
    /// lane.
    private func save(
        _ doomed: [DatabaseState.DoomedImage], isDurable: Bool
    ) throws(StorageError) -> [(page: PageNumber, image: PageHistory.Image)] {
        guard !doomed.isEmpty else { return [] }
        let slots = state.withLock { $0.books.takeHistorySlots(doomed.count) }
        do throws(StorageError) {
            let images = try copy(doomed, to: slots)
            if isDurable {
                try historyFile.synchronize(for: .historyImages)
                try record(images: images)
            }
            return images
        } catch {
            state.withLock { $0.books.returnHistorySlots(slots) }
            throw error
        }
    }

    private func copy(
        _ doomed: [DatabaseState.DoomedImage], to slots: [Int]
    ) throws(StorageError) -> [(page: PageNumber, image: PageHistory.Image)] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pageSize, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var images: [(page: PageNumber, image: PageHistory.Image)] = []
        images.reserveCapacity(doomed.count)
        for (image, slot) in zip(doomed, slots) {
            switch image.location {
            case .zeros, .history: preconditionFailure("it needs no saving")
            case .mainFile: try unsafe mainFile.read(into: buffer, at: image.page.byteOffset)
            case .frame(let frame):
                try unsafe walFile.read(into: buffer, at: WALScanner.pageOffset(frame: frame))
            }
            let content = UnsafeRawBufferPointer(buffer)
            try unsafe historyFile.write(
                content, at: Int64(slot * pageSize), for: .historyImages)
            images.append(
                (
                    image.page,
                    PageHistory.Image(
                        from: image.from, to: image.to, slot: slot,
                        checksum: unsafe CRC32C.checksum(content))
                ))
        }
        return images
    }

    /// Appends to the history log what changed of the replicas, and `images`. Whoever waits for
    /// the log meanwhile finds its changes written.
    private func record(
        images: [(page: PageNumber, image: PageHistory.Image)]
    ) throws(StorageError) {
        let result = historyLog.withLock { log -> Result<Void, StorageError> in
            let changes = state.withLock { $0.books.takeReplicaChanges() }
            guard !changes.isEmpty || !images.isEmpty else { return .success(()) }
            do throws(StorageError) { try log.append(changes, images: images) } catch {
                state.withLock { $0.books.returnReplicaChanges(changes.keys) }
                return .failure(error)
            }
            return .success(())
        }
        try result.get()
    }

    /// Gives back the end of the history file, and rewrites a log that speaks of what is gone.
    private func shrinkHistory() throws(StorageError) {
        let (slotCount, replicaCount, imageCount) = state.withLock { state in
            (
                state.books.history.slotCount, state.books.replicas.replicas.count,
                state.books.history.imageCount
            )
        }
        let size = Int64(slotCount * pageSize)
        if try historyFile.size() > size { try historyFile.truncate(to: size, for: .historyEnd) }
        let result = historyLog.withLock { log -> Result<Void, StorageError> in
            guard
                log.wantsRewrite(
                    replicaCount: replicaCount, imageCount: imageCount,
                    beyond: options.historyLogRewriteSize)
            else {
                return .success(())
            }
            let (changes, replicas, images) = state.withLock { state in
                (
                    state.books.takeReplicaChanges(), state.books.replicas.replicas,
                    state.books.hasDurablePins ? state.books.history.all : []
                )
            }
            do throws(StorageError) {
                try log.rewrite(replicas.mapValues { $0 }, images: images)
            } catch {
                state.withLock { $0.books.returnReplicaChanges(changes.keys) }
                return .failure(error)
            }
            return .success(())
        }
        try result.get()
    }
}

extension Database.Shared {
    /// Pins the newest commit for a snapshot.
    mutating func takeHead(now: Int64) -> (revision: Revision, databaseSize: UInt32) {
        let isPinned = books.addPin(books.head, now: now)
        precondition(isPinned, "the head can always be read")
        return (books.headRevision, books.databaseSize)
    }
}
