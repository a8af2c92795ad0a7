package import Primitives

/// What a database remembers about itself besides its content: who it is, which process wrote
/// which commits, and how its WAL hangs together with its change file.
///
/// The layout is in docs/storage-format.md, "meta"; a slot is at most `slotSize` bytes.
package struct Meta: Equatable, Sendable {
    static let slotSize = 4096
    static let magic = Array("TMMETA01".utf8)

    /// Options that an operator sets for one database.
    package struct Settings: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// A push with a failing step is rolled back as a whole.
        package static let strictPush = Settings(rawValue: 1)
        /// Not for replicas: objects that their engine cannot hold are allowed, pulls are not.
        package static let notSynced = Settings(rawValue: 2)
        /// Frame sync is switched off.
        package static let noFrameSync = Settings(rawValue: 4)
    }

    package var databaseID: DatabaseID
    package var epochs: EpochTable
    package var settings: Settings = []
    /// Salts of the WAL that was open when this was written; nil while there was none.
    package var walSalts: WALSalts?
    /// The last commit before the first frame of that WAL.
    package var walBase: CommitNumber
    /// The newest commit in the change file. A WAL that starts over does so right after it.
    package var recordedCommit: CommitNumber
    /// The number that the newest record of the history log has at least.
    package var historySequence: UInt64 = 0
    /// A checkpoint may have been writing to the main file when this was the newest slot.
    package var isCheckpointing = false
    /// The main file holds, durably, every commit up to `recordedCommit`. So SQLite may have emptied
    /// the WAL of `walSalts`, or started it over with any salts: a WAL with other salts, or none,
    /// goes on right after `recordedCommit`.
    package var isWALSpent = false
    /// Size and time of the last change of the main file, in nanoseconds since 1970; meaningless
    /// while `isCheckpointing`.
    package var mainFile: MainFileStamp

    package struct WALSalts: Equatable, Sendable {
        package var salt1: UInt32
        package var salt2: UInt32
        package init(salt1: UInt32, salt2: UInt32) {
            self.salt1 = salt1
            self.salt2 = salt2
        }

        /// SQLite adds one to the first salt whenever it starts its WAL over.
        func isSuccessor(of other: WALSalts) -> Bool { salt1 == other.salt1 &+ 1 }
    }

    package struct MainFileStamp: Equatable, Sendable {
        package var size: Int64
        package var modified: Int64
        package init(size: Int64, modified: Int64) {
            self.size = size
            self.modified = modified
        }
    }

    func encoded(sequence: UInt64) -> [UInt8] {
        var body: [UInt8] = []
        body.appendLittleEndian(sequence)
        body.appendLittleEndian(databaseID.high)
        body.appendLittleEndian(databaseID.low)
        body.appendLittleEndian(settings.rawValue)
        body.appendLittleEndian(flags)
        body.appendLittleEndian(walSalts?.salt1 ?? 0)
        body.appendLittleEndian(walSalts?.salt2 ?? 0)
        body.appendLittleEndian(walBase.rawValue)
        body.appendLittleEndian(recordedCommit.rawValue)
        body.appendLittleEndian(mainFile.size)
        body.appendLittleEndian(mainFile.modified)
        body.appendLittleEndian(historySequence)
        body.appendLittleEndian(UInt32(epochs.entries.count))
        for entry in epochs.entries {
            body.appendLittleEndian(entry.epoch.rawValue)
            body.appendLittleEndian(entry.start.rawValue)
        }
        var slot = Self.magic
        slot.appendLittleEndian(UInt32(body.count))
        slot.appendLittleEndian(CRC32C.checksum(body))
        slot += body
        precondition(slot.count <= Self.slotSize, "a meta slot overflows")
        slot += [UInt8](repeating: 0, count: Self.slotSize - slot.count)
        return slot
    }

    private var flags: UInt32 {
        (walSalts == nil ? 0 : 1) | (isCheckpointing ? 2 : 0) | (isWALSpent ? 4 : 0)
    }

    /// Nil for a slot that was never written, or torn, or that rotted.
    static func decode(_ slot: ArraySlice<UInt8>) -> (meta: Meta, sequence: UInt64)? {
        guard slot.count >= 16, slot.prefix(8).elementsEqual(magic) else { return nil }
        var header = ByteReader(slot.dropFirst(8))
        guard let count = header.readLittleEndian(UInt32.self),
            let checksum = header.readLittleEndian(UInt32.self), Int(count) <= slot.count - 16
        else { return nil }
        let body = slot.dropFirst(16).prefix(Int(count))
        guard CRC32C.checksum(Array(body)) == checksum else { return nil }
        return decodeBody(body)
    }

    private static func decodeBody(_ body: ArraySlice<UInt8>) -> (meta: Meta, sequence: UInt64)? {
        var reader = ByteReader(body)
        guard let sequence = reader.readLittleEndian(UInt64.self),
            let high = reader.readLittleEndian(UInt64.self),
            let low = reader.readLittleEndian(UInt64.self),
            let settings = reader.readLittleEndian(UInt32.self),
            let flags = reader.readLittleEndian(UInt32.self),
            let salt1 = reader.readLittleEndian(UInt32.self),
            let salt2 = reader.readLittleEndian(UInt32.self),
            let walBase = reader.readLittleEndian(UInt64.self),
            let recorded = reader.readLittleEndian(UInt64.self),
            let mainSize = reader.readLittleEndian(Int64.self),
            let mainModified = reader.readLittleEndian(Int64.self),
            let historySequence = reader.readLittleEndian(UInt64.self),
            let epochCount = reader.readLittleEndian(UInt32.self),
            epochCount <= EpochTable.capacity
        else { return nil }
        var entries: [EpochTable.Entry] = []
        for _ in 0..<epochCount {
            guard let epoch = reader.readLittleEndian(UInt64.self),
                let start = reader.readLittleEndian(UInt64.self)
            else { return nil }
            entries.append(.init(epoch: Epoch(epoch), start: CommitNumber(start)))
        }
        let meta = Meta(
            databaseID: DatabaseID(high: high, low: low), epochs: EpochTable(entries: entries),
            settings: Settings(rawValue: settings),
            walSalts: flags & 1 != 0 ? WALSalts(salt1: salt1, salt2: salt2) : nil,
            walBase: CommitNumber(walBase), recordedCommit: CommitNumber(recorded),
            historySequence: historySequence, isCheckpointing: flags & 2 != 0,
            isWALSpent: flags & 4 != 0,
            mainFile: MainFileStamp(size: mainSize, modified: mainModified))
        return (meta, sequence)
    }
}
