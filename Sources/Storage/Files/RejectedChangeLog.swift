package import Primitives
internal import Synchronization

/// Changes of pushes that SQLite refused, kept outside the synced database so that an operator
/// can look them up: the client drops them at its next pull.
///
/// An entry is durable before its transaction commits, so none is lost; one whose transaction
/// did not commit is void. Which is which needs no second write: an entry names the commit that
/// its transaction was to become, and a commit number of an epoch never names two transactions.
///
/// Layout in docs/storage-format.md, "rejected". Safe to use from any thread.
package final class RejectedChangeLog: Sendable {
    package struct Entry: Sendable {
        /// Names the change (client, change, step): a repeated push replaces the entry.
        package let key: String
        /// What is known about it, as a JSON object.
        package let payload: [UInt8]

        package init(key: String, payload: [UInt8]) {
            self.key = key
            self.payload = payload
        }
    }

    private struct Record {
        let epoch: Epoch
        let commit: CommitNumber
        let entry: Entry
    }

    private struct State {
        var records: [Record] = []
        var end: Int64 = 0
    }

    private static let recordMagic: UInt32 = 0x544D_524A
    private static let headerSize = 12

    private let file: File
    private let state: Mutex<State>

    /// Reads what is there; a torn record at the end is dropped.
    init(path: String) throws(StorageError) {
        file = try File(path: path, mode: .create)
        let bytes = try file.readAll()
        var state = State()
        while let (records, size) = Self.decode(bytes[Int(state.end)...]) {
            Self.apply(records, to: &state.records)
            state.end += Int64(size)
        }
        // What follows would become part of the file again behind a shorter record.
        if state.end < bytes.count { try file.truncate(to: state.end, for: .tornRejected) }
        self.state = Mutex(state)
    }

    /// Adds entries of a transaction that is to become `commit`; durable when it returns.
    package func append(
        _ entries: [Entry], epoch: Epoch, commit: CommitNumber
    ) throws(StorageError) {
        try write(entries.map { Record(epoch: epoch, commit: commit, entry: $0) })
    }

    /// Makes entries void whose transaction did not become the commit they name.
    package func remove(_ keys: [String]) throws(StorageError) {
        let void = keys.map { key in
            Record(
                epoch: Epoch(0), commit: CommitNumber(0), entry: Entry(key: key, payload: []))
        }
        try write(void)
    }

    /// The entries whose transaction committed, oldest first.
    package func entries(isCommitted: (Epoch, CommitNumber) -> Bool) -> [Entry] {
        state.withLock { $0.records }
            .filter { isCommitted($0.epoch, $0.commit) }
            .map(\.entry)
    }

    private func write(_ records: [Record]) throws(StorageError) {
        guard !records.isEmpty else { return }
        let bytes = Self.encode(records)
        let result = state.withLock { state -> Result<Void, StorageError> in
            do throws(StorageError) {
                try file.write(bytes, at: state.end, for: .rejected)
                try file.synchronize(for: .rejected)
            } catch {
                // The caller's transaction is not going to commit: after a restart these
                // entries must not be taken for the ones of the commit that they name.
                try? file.truncate(to: state.end, for: .failedRejected)
                return .failure(error)
            }
            state.end += Int64(bytes.count)
            Self.apply(records, to: &state.records)
            return .success(())
        }
        try result.get()
    }

    private static func apply(_ new: [Record], to records: inout [Record]) {
        let keys = Set(new.map(\.entry.key))
        records.removeAll { keys.contains($0.entry.key) }
        records += new.filter { !$0.entry.payload.isEmpty }
    }

    // MARK: bytes

    private static func encode(_ records: [Record]) -> [UInt8] {
        var body: [UInt8] = []
        for record in records {
            body.appendLittleEndian(record.epoch.rawValue)
            body.appendLittleEndian(record.commit.rawValue)
            body.appendLittleEndian(UInt32(record.entry.key.utf8.count))
            body.appendLittleEndian(UInt32(record.entry.payload.count))
            body += record.entry.key.utf8
            body += record.entry.payload
        }
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(recordMagic)
        bytes.appendLittleEndian(CRC32C.checksum(body))
        bytes.appendLittleEndian(UInt32(body.count))
        return bytes + body
    }

    private static func decode(_ bytes: ArraySlice<UInt8>) -> (records: [Record], size: Int)? {
        var header = ByteReader(bytes)
        guard header.readLittleEndian(UInt32.self) == recordMagic,
            let checksum = header.readLittleEndian(UInt32.self),
            let count = header.readLittleEndian(UInt32.self),
            Int(count) <= bytes.count - headerSize
        else { return nil }
        let body = Array(bytes.dropFirst(headerSize).prefix(Int(count)))
        guard CRC32C.checksum(body) == checksum else { return nil }
        var records: [Record] = []
        var rest = body[...]
        while !rest.isEmpty {
            var reader = ByteReader(rest)
            guard let epoch = reader.readLittleEndian(UInt64.self),
                let commit = reader.readLittleEndian(UInt64.self),
                let keyCount = reader.readLittleEndian(UInt32.self),
                let payloadCount = reader.readLittleEndian(UInt32.self),
                Int(keyCount) + Int(payloadCount) <= reader.remainingCount
            else { return nil }
            let text = rest.dropFirst(24)
            let key = String(decoding: text.prefix(Int(keyCount)), as: UTF8.self)
            let payload = Array(text.dropFirst(Int(keyCount)).prefix(Int(payloadCount)))
            records.append(
                Record(
                    epoch: Epoch(epoch), commit: CommitNumber(commit),
                    entry: Entry(key: key, payload: payload)))
            rest = text.dropFirst(Int(keyCount) + Int(payloadCount))
        }
        return (records, headerSize + Int(count))
    }
}
