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

    private enum EntryKind: UInt8 {
        case begin = 1
        case archived = 2
        case asked = 3
        case past = 4
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
        guard let (current, past) = decode(bodies) else { return (files, nil) }
        files.past = past
        if let current {
            let file = try File(path: files.path(current.number), mode: .create)
            // What follows is from a checkpoint that never began.
            let end = Int64(current.archivedEnds.last ?? 0) * Int64(frameSize)
            if try file.size() > end { try file.truncate(to: end, for: .unrecordedFrames) }
            files.frames = file
        }
        try files.removeForgotten(current: current?.number)
        return (files, current)
    }

    private func path(_ number: UInt32) -> String { directory + "/frames.\(number)" }

    /// The frames of a generation that has ended; nil if they are gone.
    func keptFrames(of number: UInt32) throws(StorageError) -> File? {
        guard past.contains(where: { $0.number == number && $0.isKept }) else { return nil }
        return try File(path: path(number), mode: .read)
    }

    func past(_ number: UInt32) -> Past? { past.last { $0.number == number } }

    // MARK: changes, durable when they return

    /// Begins a generation. The one before is remembered with its frames, as far as `keptBytes`
    /// allow for all that have ended; older ones lose theirs.
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
            if bytes > keptBytes { remembered[index].isKept = false }
        }
        try log.rewrite(Self.body(remembered) + Self.body(current))
        past = remembered
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

    private func removeForgotten(current: UInt32?) throws(StorageError) {
        for name in try Directory.names(in: directory) where name.hasPrefix("frames.") {
            let number = UInt32(name.dropFirst("frames.".count))
            let isKept = past.contains { $0.number == number && $0.isKept }
            if number != current && !isKept {
                try Directory.removeFile(directory + "/" + name, for: .forgottenFrames)
            }
        }
    }

    // MARK: bytes

    private static func body(_ past: [Past]) -> [UInt8] {
        var body: [UInt8] = []
        for generation in past {
            body.append(EntryKind.past.rawValue)
            body.appendLittleEndian(generation.number)
            body.appendLittleEndian(generation.baseCommit.rawValue)
            body.appendLittleEndian(generation.lastFrame)
            body.append(generation.isKept ? 1 : 0)
        }
        return body
    }

    private static func body(_ current: Current) -> [UInt8] {
        var body: [UInt8] = [EntryKind.begin.rawValue]
        body.appendLittleEndian(current.number)
        body.appendLittleEndian(current.baseEpoch.rawValue)
        body.appendLittleEndian(current.base.commit.rawValue)
        body.appendLittleEndian(current.base.databaseSize)
        return body
    }

    private static func decode(_ bodies: [ArraySlice<UInt8>]) -> (Current?, [Past])? {
        var current: Current?
        var past: [Past] = []
        for body in bodies {
            var reader = ByteReader(body)
            while reader.remainingCount > 0 {
                guard let byte = reader.readLittleEndian(UInt8.self),
                    let kind = EntryKind(rawValue: byte)
                else { return nil }
                switch kind {
                case .begin:
                    guard let begun = decodeCurrent(&reader) else { return nil }
                    current = begun
                case .past:
                    guard let ended = decodePast(&reader) else { return nil }
                    past.append(ended)
                case .asked: current?.hasAskedForCheckpoint = true
                case .archived:
                    guard let ends = decodeEnds(&reader),
                        ends.first ?? .max > current?.archivedEnds.last ?? 0
                    else { return nil }
                    current?.archivedEnds += ends
                }
            }
        }
        return (current, past)
    }

    private static func decodeCurrent(_ reader: inout ByteReader) -> Current? {
        guard let number = reader.readLittleEndian(UInt32.self),
            let epoch = reader.readLittleEndian(UInt64.self),
            let commit = reader.readLittleEndian(UInt64.self),
            let databaseSize = reader.readLittleEndian(UInt32.self)
        else { return nil }
        return Current(
            number: number,
            base: .init(commit: CommitNumber(commit), databaseSize: databaseSize),
            baseEpoch: Epoch(epoch))
    }

    private static func decodePast(_ reader: inout ByteReader) -> Past? {
        guard let number = reader.readLittleEndian(UInt32.self),
            let commit = reader.readLittleEndian(UInt64.self),
            let lastFrame = reader.readLittleEndian(UInt32.self),
            let isKept = reader.readLittleEndian(UInt8.self)
        else { return nil }
        return Past(
            number: number, baseCommit: CommitNumber(commit), lastFrame: lastFrame,
            isKept: isKept != 0)
    }

    private static func decodeEnds(_ reader: inout ByteReader) -> [UInt32]? {
        guard let count = reader.readLittleEndian(UInt32.self),
            Int(count) * 4 <= reader.remainingCount
        else { return nil }
        var ends: [UInt32] = []
        ends.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let end = reader.readLittleEndian(UInt32.self), end > ends.last ?? 0
            else { return nil }
            ends.append(end)
        }
        return ends
    }
}
