package import Primitives

/// The books of one open database: which commits there are, where each page's content is now and
/// was at every pinned commit. Pure: its owner, `Database`, guards it with a lock and does the
/// reading and writing.
///
/// Where a page is at a commit R: in the history, if a checkpoint moved past R and the page
/// changed since; else in the newest frame at or before R; else in the main file.
///
/// Invariants:
/// - Everything in here is durable, but for changes of `replicas` that were not taken yet.
/// - Commits that can be read exactly: the pinned ones, and all from `exactFloor` to `head`.
///
/// `DatabaseState+Checkpoint` and `+Replicas` hold the rest.
package struct DatabaseState {
    package struct Pin {
        /// Snapshots that are read.
        var snapshotCount = 0
        /// Positions of replicas.
        var replicaCount = 0
        /// When the newest snapshot was taken, in seconds since 1970.
        var lastSnapshot: Int64 = 0
        /// Dropped for want of room: its snapshots can be read no more.
        var isCancelled = false
        package let databaseSize: UInt32
        /// The last frame that belongs to the pinned commit; 0 once the WAL went past it.
        var frameLimit: UInt32
    }

    package enum Location: Equatable, Sendable {
        /// Never written, or the lock page.
        case zeros
        case mainFile
        case frame(UInt32)
        case history(slot: Int, checksum: UInt32)
    }

    /// An image that a checkpoint is about to make unreachable, and where it is now.
    package struct DoomedImage {
        package let page: PageNumber
        package let from: CommitNumber
        package let to: CommitNumber
        package let location: Location
    }

    struct Commit {
        let lastFrame: UInt32
        let databaseSize: UInt32
    }

    package let databaseID: DatabaseID
    package private(set) var epochs: EpochTable
    package private(set) var head: CommitNumber
    package private(set) var databaseSize: UInt32
    package private(set) var changes: ChangeIndex
    /// Moves whenever content may move from one place to another: a read that began before must
    /// look its pages up again.
    package internal(set) var layout: UInt64 = 0
    package internal(set) var exactFloor: CommitNumber
    var frames = FrameIndex()
    /// Commits from `exactFloor` on that still have their place in the WAL; the first one is the
    /// commit `firstCommit`.
    var commits: [Commit]
    var firstCommit: CommitNumber
    var pins: [CommitNumber: Pin] = [:]
    package internal(set) var history = PageHistory()
    package internal(set) var replicas = ReplicaTable()
    /// Nil while nobody uses frame sync.
    package internal(set) var generation: FrameLedger?

    /// - Parameters:
    ///   - base: the commit before the WAL's first frame.
    ///   - databaseSize: of `base`, in pages: the size of the main file.
    ///   - exactFloor: the newest commit that a checkpoint may have copied pages of to the main
    ///     file, so that older ones are lost; at least `base`.
    package init(
        databaseID: DatabaseID, epochs: EpochTable, base: CommitNumber, databaseSize: UInt32,
        changes: ChangeIndex, exactFloor: CommitNumber
    ) {
        precondition(exactFloor >= base, "what came before the WAL cannot be read")
        self.databaseID = databaseID
        self.epochs = epochs
        self.databaseSize = databaseSize
        self.changes = changes
        head = base
        self.exactFloor = exactFloor
        firstCommit = base
        commits = [Commit(lastFrame: 0, databaseSize: databaseSize)]
    }

    // MARK: commits

    package var headRevision: Revision { revision(of: head) }

    /// - Precondition: `commit` lies in an epoch that was not pruned, as the head always does.
    package func revision(of commit: CommitNumber) -> Revision {
        guard let epoch = epochs.epoch(of: commit) else {
            preconditionFailure("commit \(commit.rawValue) has no epoch")
        }
        return Revision(databaseID: databaseID, epoch: epoch, commit: commit)
    }

    package func knows(_ revision: Revision) -> Bool {
        revision.databaseID == databaseID
            && epochs.knows(revision.commit, in: revision.epoch, head: head)
    }

    package mutating func begin(_ epoch: Epoch) { epochs.begin(epoch, after: head) }

    /// Takes in a commit whose frames are durable and follow the last known frame.
    ///
    /// - Parameter alreadyIndexed: the change index holds this commit (at recovery).
    package mutating func append(
        pages: some Sequence<UInt32>, databaseSize newSize: UInt32, alreadyIndexed: Bool = false
    ) {
        head = head.next
        for rawPage in pages {
            guard let page = PageNumber(rawPage) else {
                preconditionFailure("SQLite wrote a frame of page \(rawPage)")
            }
            frames.append(page)
            if !alreadyIndexed { changes.record(page, changedBy: head) }
        }
        // Pages that growth brought in without writing them have the content of whatever is
        // there now; to a replica that is a change.
        if newSize > databaseSize, !alreadyIndexed {
            for rawPage in databaseSize + 1...newSize {
                guard let page = PageNumber(rawPage), changes.lastChange(of: page) != head
                else { continue }
                changes.record(page, changedBy: head)
            }
        }
        databaseSize = newSize
        commits.append(Commit(lastFrame: frames.lastFrame, databaseSize: newSize))
        generation?.append(walFrame: frames.lastFrame)
    }

    /// SQLite starts its WAL over at frame 1; all its frames are in the main file.
    package mutating func walStartedOver() {
        precondition(frames.frameCount == 0, "a WAL started over that was not checkpointed")
        frames.removeAll(nextFrame: 1)
        generation?.walStartedOver()
        layout += 1
    }

    package var walFrameCount: Int { frames.frameCount }
    package var lastFrame: UInt32 { frames.lastFrame }

    // MARK: pins

    /// Commits that somebody reads or will come back for.
    package var pinCount: Int { pins.values.count { !$0.isCancelled } }

    /// Somebody will come back for an old state after a restart.
    package var hasDurablePins: Bool { generation != nil || replicas.hasPartial }

    /// Snapshots that are held.
    package var snapshotCount: Int { pins.values.reduce(0) { $0 + $1.snapshotCount } }

    package func pin(of commit: CommitNumber) -> Pin? { pins[commit] }

    /// Keeps a commit readable for a snapshot. False if it no longer is.
    ///
    /// - Parameter now: seconds since 1970.
    package mutating func addPin(_ commit: CommitNumber, now: Int64) -> Bool {
        guard pin(commit) else { return false }
        pins[commit]?.snapshotCount += 1
        pins[commit]?.lastSnapshot = now
        return true
    }

    package mutating func removePin(_ commit: CommitNumber) {
        precondition(pins[commit]?.snapshotCount ?? 0 > 0, "a pin was removed twice")
        pins[commit]?.snapshotCount -= 1
        unpinIfUnused(commit)
    }

    /// Makes an entry for a commit that is readable; nobody holds it yet.
    mutating func pin(_ commit: CommitNumber) -> Bool {
        if let pin = pins[commit] { return !pin.isCancelled }
        guard commit >= exactFloor, commit <= head else { return false }
        let entry = commits[Int(commit.rawValue - firstCommit.rawValue)]
        pins[commit] = Pin(databaseSize: entry.databaseSize, frameLimit: entry.lastFrame)
        return true
    }

    mutating func unpinIfUnused(_ commit: CommitNumber) {
        guard let pin = pins[commit], pin.snapshotCount == 0, pin.replicaCount == 0 else { return }
        pins[commit] = nil
    }

    /// Where the content is that `page` has at a pinned commit; nil if its pin was dropped.
    package func location(of page: PageNumber, at commit: CommitNumber) -> Location? {
        guard let pin = pins[commit] else { preconditionFailure("the commit is not pinned") }
        precondition(page.rawValue <= pin.databaseSize, "the page lies beyond the database")
        return pin.isCancelled ? nil : location(of: page, at: commit, pin: pin)
    }

    func location(of page: PageNumber, at commit: CommitNumber, pin: Pin) -> Location {
        if page == .lockPage { return .zeros }
        if let image = history.image(of: page, at: commit) {
            return .history(slot: image.slot, checksum: image.checksum)
        }
        if let frame = frames.newestFrame(of: page, upTo: pin.frameLimit) { return .frame(frame) }
        return .mainFile
    }
}
