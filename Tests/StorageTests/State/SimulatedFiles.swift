import Primitives
import Storage

/// What SQLite and `Database` do to the files of a database, in memory: a page's content is a
/// number, 0 for zeros. It drives a `DatabaseState` along and knows what every commit held.
struct SimulatedFiles {
    struct WALCommit {
        let number: CommitNumber
        let lastFrame: Int
        let databaseSize: Int
        let pages: [UInt32]
    }

    var state: DatabaseState
    /// The main file; element 0 is page 1.
    private(set) var main: [UInt64]
    /// All frames in the WAL file, stale ones behind `frameCount` included.
    private var wal: [(page: UInt32, content: UInt64)] = []
    private(set) var frameCount = 0
    private(set) var backfilledCount = 0
    private(set) var walCommits: [WALCommit] = []
    private var walBase: CommitNumber
    private var recordedCommit: CommitNumber
    private var history: [Int: UInt64] = [:]
    /// What the history log says.
    private var logReplicas: [ReplicaID: Replica] = [:]
    private var logImages: [(page: PageNumber, image: PageHistory.Image)] = []
    /// Seconds.
    var now: Int64 = 1000
    let limits: HistoryLimits
    private(set) var largestQuota = 0
    /// Replicas that were dropped for want of room, or expired.
    private(set) var dropCount = 0
    private(set) var cancelCount = 0
    /// Snapshots that can be read no more, and are still held.
    private(set) var cancelledPins: [CommitNumber: Int] = [:]
    /// What each commit held.
    private(set) var versions: [CommitNumber: [UInt64]]
    /// The commit that changed each page last, by writing it or by growing over it.
    private var lastChanges: [UInt32: CommitNumber] = [:]
    private var nextContent: UInt64 = 1
    private(set) var pins: [CommitNumber: Int] = [:]

    init(limits: HistoryLimits = HistoryLimits(minimumQuota: 10_000, retention: 1 << 40)) {
        self.limits = limits
        let first = CommitNumber(1)
        main = [1_000_000]
        versions = [first: main]
        walBase = first
        recordedCommit = first
        state = DatabaseState(
            databaseID: DatabaseID(high: 1, low: 2), epochs: Self.epochs, base: first,
            databaseSize: 1, changes: ChangeIndex(), exactFloor: first)
    }

    private static let epochs = EpochTable(
        entries: [.init(epoch: Epoch(7), start: CommitNumber(0))])

    var databaseSize: Int { versions[state.head]!.count }

    // MARK: commits

    /// Writes a transaction's frames as SQLite does, then tells the state.
    ///
    /// - Parameters:
    ///   - pages: may lie beyond `size`: a spilled cache wrote them before the end was cut off.
    ///   - startOver: whether no reader keeps SQLite from starting the WAL over.
    mutating func commit(pages: [UInt32], size: Int, startOver: Bool) throws {
        let startsOver = startOver && frameCount > 0 && backfilledCount == frameCount
        if startsOver {
            frameCount = 0
            backfilledCount = 0
            walCommits = []
            walBase = state.head
        }
        let first = frameCount
        for page in pages {
            nextContent += 1
            if frameCount < wal.count {
                wal[frameCount] = (page, nextContent)
            } else {
                wal.append((page, nextContent))
            }
            frameCount += 1
            // The state does not know of it yet, and must not lead anybody here.
            try checkPins("while frames are written")
        }
        if startsOver { state.walStartedOver() }
        let oldSize = databaseSize
        state.append(pages: wal[first..<frameCount].map(\.page), databaseSize: UInt32(size))
        let content = (1...size).map { sqliteContent(of: UInt32($0)) }
        versions[state.head] = content
        for page in pages { lastChanges[page] = state.head }
        if size > oldSize {
            for page in oldSize + 1...size { lastChanges[UInt32(page)] = state.head }
        }
        walCommits.append(
            WALCommit(number: state.head, lastFrame: frameCount, databaseSize: size, pages: pages))
    }

    private func sqliteContent(of page: UInt32) -> UInt64 {
        if let frame = wal[..<frameCount].last(where: { $0.page == page }) { return frame.content }
        return mainContent(of: page)
    }

    private func mainContent(of page: UInt32) -> UInt64 {
        Int(page) <= main.count ? main[Int(page) - 1] : 0
    }

    // MARK: checkpoints

    enum Outcome {
        case complete
        /// A crash before a step of saving images, from the first one on.
        case diedSaving(step: Int)
        case heldUpByReader(atCommit: Int)
        case failed(afterPages: Int)
    }

    mutating func checkpoint(_ outcome: Outcome) throws {
        var crashStep = Int.max
        if case .diedSaving(let step) = outcome { crashStep = step }
        guard try saveHistory(crashStep) else { return reopen() }
        recordedCommit = state.head
        try pin(state.head)
        state.checkpointBegins()
        var limit = frameCount
        var pageLimit = Int.max
        switch outcome {
        case .complete, .diedSaving: break
        case .heldUpByReader(let index):
            limit = max(backfilledCount, walCommits.isEmpty ? 0 : walCommits[index].lastFrame)
        case .failed(let count): pageLimit = count
        }
        var newest: [UInt32: UInt64] = [:]
        for frame in wal[backfilledCount..<limit] { newest[frame.page] = frame.content }
        var copiedCount = 0
        for page in newest.keys.sorted() where Int(page) <= databaseSize {
            if copiedCount == pageLimit { break }
            copiedCount += 1
            while main.count < Int(page) { main.append(0) }
            main[Int(page) - 1] = newest[page]!
            try checkPins("while pages are copied")
        }
        if case .failed = outcome {
            unpin(state.head)
            return
        }
        if limit == frameCount {
            // A main file that is shorter than the database reads as zeros there.
            if main.count > databaseSize { main.removeLast(main.count - databaseSize) }
            while main.count < databaseSize { main.append(0) }
        }
        backfilledCount = limit
        try checkPins("before a checkpoint's end is known")
        state.checkpointEnded(isComplete: limit == frameCount)
        try checkPins("behind a checkpoint")
        unpin(state.head)
    }

    /// False if the process died before `crashStep`.
    private mutating func saveHistory(_ crashStep: Int) throws -> Bool {
        let plan = state.prepareCheckpoint(limits, now: now)
        dropCount += plan.droppedReplicas.count
        cancelCount += plan.cancelledCommits.count
        for commit in plan.cancelledCommits {
            cancelledPins[commit, default: 0] += pins.removeValue(forKey: commit) ?? 0
        }
        let largest = Set(pins.keys).union(
            state.replicas.replicas.values.flatMap { $0.isFull ? [] : [$0.echoed, $0.sent] }
                .map(\.commit))
        let quota = max(
            limits.minimumQuota, 2 * (largest.map { versions[$0]!.count }.max() ?? 0))
        largestQuota = max(largestQuota, quota)
        try require(
            state.history.imageCount + plan.doomed.count <= quota,
            "\(state.history.imageCount) + \(plan.doomed.count) images, quota \(quota)")
        if crashStep == 0 { return false }
        recordReplicas()
        if crashStep == 1 { return false }
        state.historyIsRecorded()
        let slots = state.takeHistorySlots(plan.doomed.count)
        try require(Set(slots).count == slots.count, "a slot was given out twice")
        var images: [(page: PageNumber, image: PageHistory.Image)] = []
        for (image, slot) in zip(plan.doomed, slots) {
            let content = try self.content(at: image.location, page: image.page.rawValue)
            history[slot] = content
            images.append(
                (
                    image.page,
                    .init(
                        from: image.from, to: image.to, slot: slot,
                        checksum: UInt32(truncatingIfNeeded: content))
                ))
            try checkPins("while images are saved")
            try checkReplicas("while images are saved")
            if crashStep == 1 + images.count { return false }
        }
        try require(state.history.slotCount <= largestQuota, "the history file is too long")
        if state.replicas.hasPartial { logImages += images }
        state.saved(images)
        return true
    }

    /// Writes down what changed of the replicas.
    mutating func recordReplicas() {
        for (id, replica) in state.takeReplicaChanges() { logReplicas[id] = replica }
    }

    /// A process ends and the next one opens the files.
    mutating func reopen() {
        var changes = ChangeIndex()
        for (page, commit) in lastChanges.filter({ $0.value <= recordedCommit })
            .sorted(by: { ($0.value, $0.key) < ($1.value, $1.key) })
        {
            changes.record(PageNumber(page)!, changedBy: commit)
        }
        var next = DatabaseState(
            databaseID: DatabaseID(high: 1, low: 2), epochs: Self.epochs, base: walBase,
            databaseSize: UInt32(main.count), changes: changes,
            exactFloor: max(walBase, recordedCommit))
        for commit in walCommits {
            next.append(
                pages: commit.pages, databaseSize: UInt32(commit.databaseSize),
                alreadyIndexed: next.head < recordedCommit)
        }
        let lost = next.restore(Array(logReplicas.values), images: logImages)
        precondition(lost.isEmpty, "replicas were lost")
        state = next
        pins = [:]
        cancelledPins = [:]
        backfilledCount = 0
    }

    // MARK: pins

    @discardableResult
    mutating func pin(_ commit: CommitNumber) throws -> Bool {
        guard state.addPin(commit, now: now) else {
            try require(
                commit != state.head
                    && (commit < state.exactFloor || commit > state.head
                        || cancelledPins[commit] != nil),
                "commit \(commit.rawValue) could not be pinned")
            return false
        }
        pins[commit, default: 0] += 1
        return true
    }

    mutating func unpin(_ commit: CommitNumber) {
        state.removePin(commit)
        if let count = cancelledPins[commit] {
            cancelledPins[commit] = count == 1 ? nil : count - 1
            return
        }
        pins[commit]! -= 1
        if pins[commit] == 0 { pins[commit] = nil }
    }

    // MARK: checks

    func checkPins(_ moment: String) throws {
        for commit in pins.keys {
            let expected = versions[commit]!
            try require(
                state.pin(of: commit)?.databaseSize == UInt32(expected.count),
                "\(moment): size at commit \(commit.rawValue)")
            for page in 1...UInt32(expected.count) {
                guard let location = state.location(of: PageNumber(page)!, at: commit) else {
                    throw Mismatch("\(moment): commit \(commit.rawValue) was cancelled")
                }
                let found = try content(at: location, page: page)
                try require(
                    found == expected[Int(page) - 1],
                    "\(moment): page \(page) at commit \(commit.rawValue), head "
                        + "\(state.head.rawValue): \(found) at \(location), "
                        + "not \(expected[Int(page) - 1])")
            }
        }
    }

    /// Every page that a replica may ask for, as docs/architecture.md, "Partial replicas" has it.
    func checkReplicas(_ moment: String) throws {
        for replica in state.replicas.replicas.values where !replica.isFull {
            for page in 1...replica.base.databaseSize {
                let position = [replica.sent, replica.echoed].first { page <= $0.databaseSize }
                guard let position else { continue }
                let expected = versions[position.commit]!
                try require(expected.count == position.databaseSize, "\(moment): size")
                guard let location = state.location(of: PageNumber(page)!, at: position.commit)
                else { throw Mismatch("\(moment): a replica's pin was cancelled") }
                let found = try content(at: location, page: page)
                try require(
                    found == expected[Int(page) - 1],
                    "\(moment): page \(page) of a replica at commit "
                        + "\(position.commit.rawValue), head \(state.head.rawValue): \(found) at "
                        + "\(location), not \(expected[Int(page) - 1])")
            }
        }
    }

    func checkChanges(after commit: CommitNumber) throws {
        let found = Set(
            state.changes.pages(changedAfter: commit, databaseSize: UInt32(databaseSize))
                .map(\.rawValue))
        let expected = Set(
            lastChanges.filter { $0.value > commit && Int($0.key) <= databaseSize }.keys)
        try require(found == expected, "pages changed after commit \(commit.rawValue)")
        let old = versions[commit]!
        let new = versions[state.head]!
        for page in 1...databaseSize where !found.contains(UInt32(page)) {
            try require(
                page <= old.count && old[page - 1] == new[page - 1],
                "page \(page) changed after commit \(commit.rawValue) and is not listed")
        }
    }

    private func content(at location: DatabaseState.Location, page: UInt32) throws -> UInt64 {
        switch location {
        case .zeros: return 0
        case .mainFile: return mainContent(of: page)
        case .history(let slot, let checksum):
            guard let content = history[slot] else { throw Mismatch("slot \(slot) is empty") }
            try require(
                checksum == UInt32(truncatingIfNeeded: content), "slot \(slot) holds another image")
            return content
        case .frame(let frame):
            try require(Int(frame) <= wal.count, "frame \(frame) does not exist")
            let found = wal[Int(frame) - 1]
            try require(found.page == page, "frame \(frame) holds another page")
            return found.content
        }
    }
}
