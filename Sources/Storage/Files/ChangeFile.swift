internal import Primitives

/// The durable part of a database's change index: records of which commit changed which page
/// last, one record a checkpoint, appended before the checkpoint may let the WAL go.
///
/// Layout in docs/storage-format.md, "changes". It can always be thrown away: then every page
/// counts as changed, which is correct and only slower. The owner is the writer lane.
final class ChangeFile: @unchecked Sendable {
    // @unchecked: used by one job at a time, on the database's writer lane.

    static let magic = Array("TMCHNG01".utf8)
    static let headerSize = 24
    private static let recordHeaderSize = 16
    /// Bytes per page in a record.
    private static let entrySize = 12

    private let directory: String
    private let path: String
    private let databaseID: DatabaseID
    private var file: File
    private var end: Int64
    /// What the records reach to. May be ahead of meta, when writing that failed.
    private(set) var newestCommit: CommitNumber

    /// What a change file says: nothing at all if any of it cannot be trusted.
    struct Content {
        var index = ChangeIndex()
        /// The newest commit that a record covers; nil in a file without records.
        var newestCommit: CommitNumber?
    }

    /// Opens the file and reads its records up to `recordedCommit`. The content is nil when the
    /// file is missing, belongs to another database, is damaged or does not reach that far.
    static func open(
        directory: String, databaseID: DatabaseID, recordedCommit: CommitNumber
    ) throws(StorageError) -> (file: ChangeFile, content: Content?) {
        let path = directory + "/changes"
        let file = try File(path: path, mode: .create)
        let bytes = try file.readAll()
        if let (content, end) = decode(bytes, databaseID: databaseID, upTo: recordedCommit) {
            // What follows is a record whose checkpoint never began.
            if end < bytes.count { try file.truncate(to: Int64(end), for: .unrecordedChanges) }
            let changes = ChangeFile(
                directory: directory, databaseID: databaseID, file: file, end: Int64(end),
                newestCommit: recordedCommit)
            return (changes, content)
        }
        let changes = ChangeFile(
            directory: directory, databaseID: databaseID, file: file, end: 0,
            newestCommit: CommitNumber(0))
        return (changes, nil)
    }

    /// Makes an empty file in a folder that is not visible yet; the caller syncs the folder.
    static func create(directory: String, databaseID: DatabaseID) throws(StorageError) {
        let file = try File(path: directory + "/changes", mode: .create)
        try file.write(header(databaseID), at: 0, for: .newChanges)
        try file.synchronize(for: .newChanges)
    }

    private init(
        directory: String, databaseID: DatabaseID, file: File, end: Int64,
        newestCommit: CommitNumber
    ) {
        self.directory = directory
        path = directory + "/changes"
        self.databaseID = databaseID
        self.file = file
        self.end = end
        self.newestCommit = newestCommit
    }

    /// Adds a record of the pages that changed last in commits after `newestCommit` and up to
    /// `newest`; durable when it returns.
    func append(
        _ changes: [(page: PageNumber, commit: CommitNumber)], upTo newest: CommitNumber
    ) throws(StorageError) {
        let record = Self.record(changes, newest: newest)
        try file.write(record, at: end, for: .changes)
        try file.synchronize(for: .changes)
        end += Int64(record.count)
        newestCommit = newest
    }

    /// Whether the records repeat themselves so much that a rewrite pays.
    ///
    /// - Parameter size: bytes that are fine in any case.
    func wantsRewrite(pageCount: UInt32, beyond size: Int64) -> Bool {
        end > size && end > 4 * Int64(pageCount) * Int64(Self.entrySize)
    }

    /// Replaces all records by one. The old file stays until the new one is durable.
    func rewrite(
        _ changes: [(page: PageNumber, commit: CommitNumber)], upTo newest: CommitNumber
    ) throws(StorageError) {
        let temporary = path + ".new"
        try Directory.removeFile(temporary, for: .changesRewrite)
        let next = try File(path: temporary, mode: .create)
        let bytes = Self.header(databaseID) + Self.record(changes, newest: newest)
        try next.write(bytes, at: 0, for: .changesRewrite)
        try next.synchronize(for: .changesRewrite)
        try Directory.renameReplacing(temporary, to: path, for: .changesRewrite)
        // From here on the old file has no name, whether or not the next call succeeds.
        file = next.known(as: path)
        end = Int64(bytes.count)
        newestCommit = newest
        try Directory.synchronize(directory, for: .changesRewrite)
    }

    private static func header(_ databaseID: DatabaseID) -> [UInt8] {
        var bytes = magic
        bytes.appendLittleEndian(databaseID.high)
        bytes.appendLittleEndian(databaseID.low)
        return bytes
    }

    private static func record(
        _ changes: [(page: PageNumber, commit: CommitNumber)], newest: CommitNumber
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(8 + changes.count * entrySize)
        body.appendLittleEndian(newest.rawValue)
        for change in changes {
            body.appendLittleEndian(change.page.rawValue)
            body.appendLittleEndian(change.commit.rawValue)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(recordHeaderSize + body.count)
        bytes.appendLittleEndian(UInt32(0x5443_484E))
        bytes.appendLittleEndian(CRC32C.checksum(body))
        bytes.appendLittleEndian(UInt64(body.count))
        return bytes + body
    }

    /// Nil unless everything up to `recordedCommit` is whole.
    private static func decode(
        _ bytes: [UInt8], databaseID: DatabaseID, upTo recordedCommit: CommitNumber
    ) -> (content: Content, end: Int)? {
        guard bytes.count >= headerSize, bytes.prefix(headerSize).elementsEqual(header(databaseID))
        else { return nil }
        var content = Content()
        var offset = headerSize
        while let record = decodeRecord(bytes[offset...]), record.newest <= recordedCommit {
            for change in record.changes {
                guard change.commit >= (content.newestCommit ?? CommitNumber(0)),
                    change.commit <= record.newest
                else { return nil }
                content.index.record(change.page, changedBy: change.commit)
            }
            content.newestCommit = record.newest
            offset += record.size
        }
        // A file without records is complete only for a database that has recorded nothing.
        guard (content.newestCommit ?? CommitNumber(1)) == recordedCommit else { return nil }
        return (content, offset)
    }

    private static func decodeRecord(
        _ bytes: ArraySlice<UInt8>
    ) -> (changes: [(page: PageNumber, commit: CommitNumber)], newest: CommitNumber, size: Int)? {
        var reader = ByteReader(bytes)
        guard reader.readLittleEndian(UInt32.self) == 0x5443_484E,
            let checksum = reader.readLittleEndian(UInt32.self),
            let count = reader.readLittleEndian(UInt64.self),
            count >= 8, count <= UInt64(bytes.count - recordHeaderSize),
            (count - 8) % UInt64(entrySize) == 0
        else { return nil }
        let body = bytes.dropFirst(recordHeaderSize).prefix(Int(count))
        guard unsafe body.withUnsafeBytes({ unsafe CRC32C.checksum($0) }) == checksum,
            let newest = reader.readLittleEndian(UInt64.self)
        else { return nil }
        var changes: [(page: PageNumber, commit: CommitNumber)] = []
        changes.reserveCapacity((Int(count) - 8) / entrySize)
        var previous: UInt64 = 0
        for _ in 0..<(Int(count) - 8) / entrySize {
            guard let number = reader.readLittleEndian(UInt32.self), let page = PageNumber(number),
                let commit = reader.readLittleEndian(UInt64.self), commit >= previous
            else { return nil }
            previous = commit
            changes.append((page, CommitNumber(commit)))
        }
        return (changes, CommitNumber(newest), recordHeaderSize + Int(count))
    }
}
