package import Primitives

/// The books of one open database: which commits there are, where each page's content is now and
/// was at every pinned commit. Pure: its owner, `Database`, guards it with a lock and does the
/// reading and writing.
///
/// Where a page is at a commit R: in the history, if a checkpoint moved past R and the page
/// changed since; else in the newest frame at or before R; else in the main file.
///
/// Invariants:
/// - Everything in here is durable.
/// - Commits that can be read exactly: the pinned ones, and all from `exactFloor` to `head`.
package struct DatabaseState {
    package struct Pin {
        package fileprivate(set) var count: Int
        package let databaseSize: UInt32
        /// The last frame that belongs to the pinned commit; 0 once the WAL went past it.
        fileprivate var frameLimit: UInt32
    }

    package enum Location: Equatable, Sendable {
        /// Never written, or the lock page.
        case zeros
        case mainFile
        case frame(UInt32)
        case history(slot: Int)
    }

    /// An image that a checkpoint is about to make unreachable, and where it is now.
    package struct DoomedImage {
        package let page: PageNumber
        package let from: CommitNumber
        package let to: CommitNumber
        package let location: Location
    }

    private struct Commit {
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
    package private(set) var layout: UInt64 = 0
    package private(set) var exactFloor: CommitNumber
    private var frames = FrameIndex()
    /// Commits from `exactFloor` on that still have their place in the WAL; the first one is the
    /// commit `firstCommit`.
    private var commits: [Commit]
    private var firstCommit: CommitNumber
    private var pins: [CommitNumber: Pin] = [:]
    package private(set) var history = PageHistory()

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
    }

    /// SQLite starts its WAL over at frame 1; all its frames are in the main file.
    package mutating func walStartedOver() {
        precondition(frames.frameCount == 0, "a WAL started over that was not checkpointed")
        frames.removeAll(nextFrame: 1)
        layout += 1
    }

    package var walFrameCount: Int { frames.frameCount }
    package var lastFrame: UInt32 { frames.lastFrame }

    // MARK: pins

    package var pinCount: Int { pins.count }

    package func pin(of commit: CommitNumber) -> Pin? { pins[commit] }

    /// Keeps a commit readable. False if it no longer is.
    package mutating func addPin(_ commit: CommitNumber) -> Bool {
        if pins[commit] != nil {
            pins[commit]?.count += 1
            return true
        }
        guard commit >= exactFloor, commit <= head else { return false }
        let entry = commits[Int(commit.rawValue - firstCommit.rawValue)]
        pins[commit] = Pin(
            count: 1, databaseSize: entry.databaseSize, frameLimit: entry.lastFrame)
        return true
    }

    package mutating func removePin(_ commit: CommitNumber) {
        guard let pin = pins[commit] else { preconditionFailure("a pin was removed twice") }
        if pin.count == 1 {
            pins[commit] = nil
        } else {
            pins[commit]?.count -= 1
        }
    }

    /// Where the content is that `page` has at a pinned commit.
    package func location(of page: PageNumber, at commit: CommitNumber) -> Location {
        guard let pin = pins[commit] else { preconditionFailure("the commit is not pinned") }
        precondition(page.rawValue <= pin.databaseSize, "the page lies beyond the database")
        return location(of: page, at: commit, pin: pin)
    }

    private func location(of page: PageNumber, at commit: CommitNumber, pin: Pin) -> Location {
        if page == .lockPage { return .zeros }
        if let slot = history.slot(of: page, at: commit) { return .history(slot: slot) }
        if let frame = frames.newestFrame(of: page, upTo: pin.frameLimit) { return .frame(frame) }
        return .mainFile
    }

    // MARK: checkpoints

    /// What must be saved before a checkpoint begins. From here on only the head and the pinned
    /// commits can be read exactly.
    package mutating func prepareCheckpoint() -> [DoomedImage] {
        let pinned = pins.keys.sorted()
        history.removeImages(notNeededBy: pinned)
        exactFloor = head
        let older = pinned.filter { $0 < head }
        guard let oldest = older.first else { return [] }
        var doomed: [DoomedImage] = []
        for rawPage in frames.changedPages {
            guard let page = PageNumber(rawPage) else { continue }
            collectDoomed(page, pins: older, into: &doomed)
        }
        collectCutOff(pins: older, oldest: oldest, into: &doomed)
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
        pins older: [CommitNumber], oldest: CommitNumber, into doomed: inout [DoomedImage]
    ) {
        let largest = older.compactMap { pins[$0]?.databaseSize }.max() ?? 0
        guard largest > databaseSize else { return }
        for rawPage in databaseSize + 1...largest {
            guard let page = PageNumber(rawPage), page != .lockPage,
                frames.newestFrame(of: page) == nil
            else { continue }
            // The oldest pin that reaches that far and has no image yet; newer ones share it.
            for commit in older where (pins[commit]?.databaseSize ?? 0) >= rawPage {
                guard history.slot(of: page, at: commit) == nil else { continue }
                doomed.append(
                    DoomedImage(page: page, from: commit, to: head, location: .mainFile))
                break
            }
        }
    }

    /// A slot of the history file to save an image in.
    package mutating func takeHistorySlot() -> Int { history.takeSlot() }

    /// The image could not be saved.
    package mutating func returnHistorySlot(_ slot: Int) { history.returnSlot(slot) }

    /// A doomed image was saved; it is looked up there from now on.
    package mutating func saved(_ image: DoomedImage, slot: Int) {
        history.add(image.page, from: image.from, to: image.to, slot: slot)
    }

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
