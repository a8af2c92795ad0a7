internal import Primitives

/// What outlives a process of a database's history: its replicas, and which image is in which
/// slot of the history file.
///
/// Layout in docs/storage-format.md, "history.log". Used by one thread at a time.
struct HistoryLog {
    /// What the log says, in the order it was said.
    struct Content {
        var replicas: [Replica] = []
        var images: [(page: PageNumber, image: PageHistory.Image)] = []
    }

    private enum EntryKind: UInt8 {
        case replica = 1
        case removal = 2
        case image = 3
    }

    private static let replicaSize = 62
    private static let imageSize = 33
    private var log: RecordLog
    /// Set when the file's owner lets go of it; the next one may have it open already.
    var isClosed = false

    /// Bytes.
    var size: Int64 { log.size }
    /// The number of the newest record.
    var sequence: UInt64 { log.sequence }

    /// - Parameter required: the number that a checkpoint relied on. If the file does not reach
    ///   that far, or cannot be understood, the content is nil and the file empty.
    static func open(
        directory: String, databaseID: DatabaseID, required: UInt64
    ) throws(StorageError) -> (log: HistoryLog, content: Content?) {
        let (log, bodies) = try RecordLog.open(
            directory: directory, name: "history.log", magic: "TMHIST01", databaseID: databaseID,
            purposes: .history)
        var history = HistoryLog(log: log)
        if log.sequence >= required, let content = decode(bodies) { return (history, content) }
        try history.clear(after: required)
        return (history, nil)
    }

    /// Writes down replicas as they are now, nil for those that are gone, and images that are
    /// durable in their slots. Durable when it returns.
    mutating func append(
        _ replicas: [ReplicaID: Replica?], images: [(page: PageNumber, image: PageHistory.Image)]
    ) throws(StorageError) {
        if isClosed { throw .closed }
        try log.append(Self.body(replicas, images))
    }

    /// Replaces the file by one that says only this.
    mutating func rewrite(
        _ replicas: [ReplicaID: Replica?], images: [(page: PageNumber, image: PageHistory.Image)]
    ) throws(StorageError) {
        try log.rewrite(Self.body(replicas, images))
    }

    /// Forgets everything.
    mutating func clear(after required: UInt64 = 0) throws(StorageError) {
        try log.rewrite([], number: required + 1)
    }

    /// Whether the file repeats itself, or speaks of what is gone, so much that a rewrite pays.
    ///
    /// - Parameter limit: bytes that are fine unless nothing of them is needed.
    func wantsRewrite(replicaCount: Int, imageCount: Int, beyond limit: Int64) -> Bool {
        let needed = Int64(replicaCount * Self.replicaSize + imageCount * Self.imageSize)
        return size > limit && size > 4 * needed || needed == 0 && size > 64
    }

    // MARK: bytes

    private static func body(
        _ replicas: [ReplicaID: Replica?], _ images: [(page: PageNumber, image: PageHistory.Image)]
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(replicas.count * replicaSize + images.count * imageSize)
        for (id, replica) in replicas {
            guard let replica else {
                body.append(EntryKind.removal.rawValue)
                body.appendLittleEndian(id.rawValue)
                continue
            }
            body.append(EntryKind.replica.rawValue)
            body.appendLittleEndian(id.rawValue)
            body.appendLittleEndian(replica.baseEpoch.rawValue)
            for position in [replica.base, replica.echoed, replica.sent] {
                body.appendLittleEndian(position.commit.rawValue)
                body.appendLittleEndian(position.databaseSize)
            }
            body.appendLittleEndian(replica.lastUse)
            body.append(replica.isFull ? 1 : 0)
        }
        for (page, image) in images {
            body.append(EntryKind.image.rawValue)
            body.appendLittleEndian(page.rawValue)
            body.appendLittleEndian(image.from.rawValue)
            body.appendLittleEndian(image.to.rawValue)
            body.appendLittleEndian(UInt64(image.slot))
            body.appendLittleEndian(image.checksum)
        }
        return body
    }

    /// Nil if the entries make no sense, which their checksums should have shown.
    private static func decode(_ bodies: [ArraySlice<UInt8>]) -> Content? {
        var replicas: [ReplicaID: Replica] = [:]
        var content = Content()
        for body in bodies {
            var reader = ByteReader(body)
            while reader.remainingCount > 0 {
                guard let byte = reader.readLittleEndian(UInt8.self),
                    let kind = EntryKind(rawValue: byte)
                else { return nil }
                switch kind {
                case .replica:
                    guard let replica = decodeReplica(&reader) else { return nil }
                    replicas[replica.id] = replica
                case .removal:
                    guard let id = reader.readLittleEndian(UInt64.self) else { return nil }
                    replicas[ReplicaID(id)] = nil
                case .image:
                    guard let entry = decodeImage(&reader) else { return nil }
                    content.images.append(entry)
                }
            }
        }
        content.replicas = Array(replicas.values)
        return content
    }

    private static func decodeReplica(_ reader: inout ByteReader) -> Replica? {
        guard let id = reader.readLittleEndian(UInt64.self),
            let epoch = reader.readLittleEndian(UInt64.self),
            let base = decodePosition(&reader), let echoed = decodePosition(&reader),
            let sent = decodePosition(&reader),
            let lastUse = reader.readLittleEndian(Int64.self),
            let flags = reader.readLittleEndian(UInt8.self)
        else { return nil }
        var replica = Replica(
            id: ReplicaID(id), baseEpoch: Epoch(epoch), base: base, lastUse: lastUse)
        replica.echoed = echoed
        replica.sent = sent
        replica.isFull = flags & 1 != 0
        // What it was sent before is not known any more, so it stays a partial one.
        replica.coverage = nil
        return replica
    }

    private static func decodePosition(_ reader: inout ByteReader) -> Replica.Position? {
        guard let commit = reader.readLittleEndian(UInt64.self),
            let databaseSize = reader.readLittleEndian(UInt32.self)
        else { return nil }
        return .init(commit: CommitNumber(commit), databaseSize: databaseSize)
    }

    private static func decodeImage(
        _ reader: inout ByteReader
    ) -> (page: PageNumber, image: PageHistory.Image)? {
        guard let number = reader.readLittleEndian(UInt32.self), let page = PageNumber(number),
            let from = reader.readLittleEndian(UInt64.self),
            let to = reader.readLittleEndian(UInt64.self),
            let slot = reader.readLittleEndian(UInt64.self), slot < 1 << 40,
            let checksum = reader.readLittleEndian(UInt32.self)
        else { return nil }
        return (
            page,
            PageHistory.Image(
                from: CommitNumber(from), to: CommitNumber(to), slot: Int(slot), checksum: checksum)
        )
    }
}
