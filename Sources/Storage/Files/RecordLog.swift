internal import Primitives

/// A file of records that is only appended to, or replaced as a whole. Each record has a
/// checksum and a number; a torn one ends the file.
///
/// Layout in docs/storage-format.md, "Record logs". Used by one thread at a time.
struct RecordLog {
    private static let headerSize = 24
    private static let recordMagic: UInt32 = 0x544D_4C47
    private static let recordHeaderSize = 24

    /// What its operations are for.
    struct Purposes {
        let record, failed, rewrite, found, torn: FilePurpose

        static let history = Purposes(
            record: .historyLog, failed: .failedHistoryLog, rewrite: .historyLogRewrite,
            found: .foundHistoryLog, torn: .tornHistoryLog)
        static let generations = Purposes(
            record: .generations, failed: .failedGenerations, rewrite: .generationsRewrite,
            found: .foundGenerations, torn: .tornGenerations)
    }

    private let purposes: Purposes
    private let directory: String
    private let path: String
    private let header: [UInt8]
    private var file: File
    /// Bytes.
    private(set) var size: Int64
    /// The number of the newest record; 0 if there never was one.
    private(set) var sequence: UInt64

    /// Opens the file, making it if need be, and reads the records that are whole.
    ///
    /// - Parameter magic: eight bytes. A file that begins otherwise, or belongs to another
    ///   database, counts as empty.
    static func open(
        directory: String, name: String, magic: String, databaseID: DatabaseID,
        purposes: Purposes
    ) throws(StorageError) -> (log: RecordLog, bodies: [ArraySlice<UInt8>]) {
        var header = Array(magic.utf8)
        header.appendLittleEndian(databaseID.high)
        header.appendLittleEndian(databaseID.low)
        precondition(header.count == headerSize)
        let path = directory + "/" + name
        let file = try File(path: path, mode: .create)
        // After a kill, records may be there that were never flushed.
        try file.synchronize(for: purposes.found)
        let bytes = try file.readAll()
        var log = RecordLog(
            purposes: purposes, directory: directory, path: path, header: header, file: file,
            size: 0, sequence: 0)
        var bodies: [ArraySlice<UInt8>] = []
        if bytes.prefix(headerSize).elementsEqual(header) {
            log.size = Int64(headerSize)
            while let record = decode(bytes[Int(log.size)...]), record.sequence > log.sequence {
                bodies.append(record.body)
                log.sequence = record.sequence
                log.size += Int64(recordHeaderSize + record.body.count)
            }
        }
        // What follows would become part of the file again behind a shorter record.
        if log.size < bytes.count { try file.truncate(to: log.size, for: purposes.torn) }
        return (log, bodies)
    }

    /// Adds a record.
    ///
    /// - Parameter isDurable: it is durable when this returns; else with the next one that is.
    mutating func append(_ body: [UInt8], isDurable: Bool = true) throws(StorageError) {
        let record = (size == 0 ? header : []) + Self.record(body, sequence: sequence + 1)
        do throws(StorageError) {
            try file.write(record, at: size, for: purposes.record)
            if isDurable { try file.synchronize(for: purposes.record) }
        } catch {
            // Nobody was told of it, so it should not come back; if it does, no harm is done.
            try? file.truncate(to: size, for: purposes.failed)
            throw error
        }
        size += Int64(record.count)
        sequence += 1
    }

    /// Replaces all records by one, whose number is the next one and at least `number`. The old
    /// file stays until the new one is durable.
    mutating func rewrite(_ body: [UInt8], number: UInt64 = 0) throws(StorageError) {
        let temporary = path + ".new"
        try Directory.removeFile(temporary, for: purposes.rewrite)
        let next = try File(path: temporary, mode: .create)
        let newSequence = max(sequence + 1, number)
        let bytes = header + Self.record(body, sequence: newSequence)
        try next.write(bytes, at: 0, for: purposes.rewrite)
        try next.synchronize(for: purposes.rewrite)
        try Directory.renameReplacing(temporary, to: path, for: purposes.rewrite)
        // From here on the old file has no name, whether or not the next call succeeds.
        file = next.known(as: path)
        size = Int64(bytes.count)
        sequence = newSequence
        try Directory.synchronize(directory, for: purposes.rewrite)
    }

    private static func record(_ body: [UInt8], sequence: UInt64) -> [UInt8] {
        var guarded: [UInt8] = []
        guarded.reserveCapacity(16 + body.count)
        guarded.appendLittleEndian(sequence)
        guarded.appendLittleEndian(UInt64(body.count))
        guarded += body
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + guarded.count)
        bytes.appendLittleEndian(recordMagic)
        bytes.appendLittleEndian(CRC32C.checksum(guarded))
        return bytes + guarded
    }

    private static func decode(
        _ bytes: ArraySlice<UInt8>
    ) -> (sequence: UInt64, body: ArraySlice<UInt8>)? {
        var reader = ByteReader(bytes)
        guard reader.readLittleEndian(UInt32.self) == recordMagic,
            let checksum = reader.readLittleEndian(UInt32.self),
            let sequence = reader.readLittleEndian(UInt64.self),
            let count = reader.readLittleEndian(UInt64.self),
            count <= UInt64(reader.remainingCount)
        else { return nil }
        let guarded = bytes.dropFirst(8).prefix(16 + Int(count))
        guard unsafe guarded.withUnsafeBytes({ unsafe CRC32C.checksum($0) }) == checksum
        else { return nil }
        return (sequence, guarded.dropFirst(16))
    }
}
