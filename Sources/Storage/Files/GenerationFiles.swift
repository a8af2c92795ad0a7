internal import Primitives

/// The files of frame sync: a log of the generations, and their frames from the WAL.
///
/// Layout in docs/storage-format.md, "generations" and "frames". Used by one thread at a time.
struct GenerationFiles {
    /// One that has ended.
    struct Past: Equatable {
        let number: UInt32
        let baseCommit: CommitNumber
        let lastFrame: UInt32
        /// Its frames are still there.
        var isKept: Bool
    }

    /// What the log says of the current generation; the ledger's frames in the WAL are not in it.
    struct Current {
        let number: UInt32
        let base: Replica.Position
        let baseEpoch: Epoch
        var archivedEnds: [UInt32] = []
        var hasAskedForCheckpoint = false
    }

    static let frameSize = 4120
    /// Generations that are remembered without their frames.
    private static let pastLimit = 1000

    private let directory: String
    private var log: RecordLog
    /// Of the current generation.
    private(set) var frames: File?
    /// Oldest first.
    private(set) var past: [Past] = []
    /// What clients may count as the server's though no commit has it.
    private(set) var unfinished: [UnfinishedFrames] = []
    /// Set when the files' owner lets go of them; the next one may have them open already.
    var isClosed = false

    /// - Returns: nothing for a database that never used frame sync, or whose log makes no sense.
    static func open(
        directory: String, databaseID: DatabaseID
    ) throws(StorageError) -> (files: GenerationFiles, current: Current?) {
        let (log, bodies) = try RecordLog.open(
            directory: directory, name: "generations", magic: "TMGENS01", databaseID: databaseID,
            purposes: .generations)
        var files = GenerationFiles(directory: directory, log: log)
        guard let (current, past, unfinished) = decode(bodies) else { return (files, nil) }
        files.past = past
        files.unfinished = unfinished
        if let current {
            let file = try File(path: files.path(current.number), mode: .create)
            // What follows is from a checkpoint that never began.
            let end = Int64(current.archivedEnds.last ?? 0) * Int64(frameSize)
            if try file.size() > end { try file.truncate(to: end, for: .unrecordedFrames) }
            files.frames = file
            try files.removeForgotten(current: current.number)
        }
        return (files, current)
    }

    /// The newest generation that has a file of frames, whatever the log says; 0 if none has.
    func newestFrames() throws(StorageError) -> UInt32 {
        let numbers = try Directory.names(in: directory)
            .filter { $0.hasPrefix("frames.") }
            .compactMap { UInt32($0.dropFirst("frames.".count)) }
        return numbers.max() ?? 0
    }

    private func path(_ number: UInt32) -> String { directory + "/frames.\(number)" }

    /// The frames of a generation that has ended; nil if they are gone.
    func keptFrames(of number: UInt32) throws(StorageError) -> File? {
        guard past.contains(where: { $0.number == number && $0.isKept }) else { return nil }
        return try File(path: path(number), mode: .read)
    }

    func past(_ number: UInt32) -> Past? { past.last { $0.number == number } }

    // MARK: changes, durable when they return

    /// Begins a generation. The one before is remembered with its frames, because its clients can
    /// still push and so must have the very frames that the server has; older ones keep theirs as
    /// far as `keptBytes` allow for all that have ended.
    mutating func begin(
        _ current: Current, after ended: FrameLedger?, keptBytes: Int64
    ) throws(StorageError) {
        guard !isClosed else { throw .closed }
        let file = try File(path: path(current.number), mode: .create)
        // A roll that failed may have left one.
        try file.truncate(to: 0, for: .newFrames)
        try file.synchronize(for: .newFrames)
        try Directory.synchronize(directory, for: .newFrames)
        var remembered = past
        if let ended {
            remembered.append(
                Past(
                    number: ended.number, baseCommit: ended.base.commit,
                    lastFrame: ended.lastFrame, isKept: true))
        }
        remembered = Array(remembered.suffix(Self.pastLimit))
        var bytes: Int64 = 0
        for index in remembered.indices.reversed() {
            bytes += Int64(remembered[index].lastFrame) * Int64(Self.frameSize)
            let isBefore = remembered[index].number == ended?.number
            if bytes > keptBytes && !isBefore { remembered[index].isKept = false }
        }
        // Clients of the generation before can still push.
        let unfinished = self.unfinished.filter { $0.generation == ended?.number }
        try log.rewrite(
            Self.body(remembered) + Self.body(current) + Self.body(unfinished))
        past = remembered
        self.unfinished = unfinished
        frames = file
        // Nothing speaks of them any more.
        try removeForgotten(current: current.number)
    }

    /// Begins a generation and forgets all others.
    mutating func beginAnew(_ current: Current) throws(StorageError) {
        past = []
        try begin(current, after: nil, keptBytes: 0)
    }

    /// Notes that the frames up to the last of `ends` are in the archive, flushed.
    mutating func archived(_ ends: some Collection<UInt32>) throws(StorageError) {
        guard !isClosed else { throw .closed }
        var body: [UInt8] = [EntryKind.archived.rawValue]
        body.appendLittleEndian(UInt32(ends.count))
        for end in ends { body.appendLittleEndian(end) }
        try log.append(body)
    }

    /// Notes that clients were told to let the generation end.
    mutating func askedForCheckpoint() throws(StorageError) {
        guard !isClosed else { throw .closed }
        try log.append([EntryKind.asked.rawValue])
    }

    /// Notes which frames clients may count as the server's though no commit has them, in place of
    /// those that were noted before. Durable when it returns, except for what is not among them any
    /// more: that may come back, or stay if it cannot be written.
    mutating func noteUnfinished(_ now: [UnfinishedFrames]) throws(StorageError) {
        guard !isClosed else { throw .closed }
        let noted = now.map { new in unfinished.first { $0.covers(new) } ?? new.withRoom }
        guard noted != unfinished else { return }
        let hasNew = !noted.allSatisfy { unfinished.contains($0) }
        do throws(StorageError) {
            try log.append(Self.body(noted), isDurable: hasNew)
        } catch {
            guard hasNew else { return }
            throw error
        }
        unfinished = noted
    }

    private func removeForgotten(current: UInt32) throws(StorageError) {
        for name in try Directory.names(in: directory) where name.hasPrefix("frames.") {
            let number = UInt32(name.dropFirst("frames.".count))
            let isKept = past.contains { $0.number == number && $0.isKept }
            if number != current && !isKept {
                try Directory.removeFile(directory + "/" + name, for: .forgottenFrames)
            }
        }
    }
}
