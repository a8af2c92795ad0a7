internal import Primitives
internal import SQLite

/// Frame sync as the only writer.
extension WriterSession {
    /// Frames of the current generation, to be compared with what a client sends again.
    package func frames(_ range: ClosedRange<UInt32>) throws(StorageError) -> [WALFrame] {
        guard let generation = database.frameGeneration, range.upperBound <= generation.lastFrame
        else { throw .revisionGone }
        var frames: [WALFrame] = []
        while frames.count < range.count {
            // A source ends on a commit, so it may have fewer frames than it was asked for.
            guard
                let source = try database.frameSource(
                    generation: generation.number, from: range.lowerBound + UInt32(frames.count),
                    limit: range.count - frames.count)
            else { throw .revisionGone }
            while frames.count < range.count,
                let piece = try source.nextPiece(maximumBytes: 1 << 20)
            {
                for start in stride(from: 0, to: piece.count, by: WALScanner.frameSize) {
                    frames.append(WALFrame(wire: piece[start..<start + WALScanner.frameSize]))
                }
            }
        }
        return Array(frames.prefix(range.count))
    }

    /// Makes frames from a client the newest commits: appends them to the WAL with our own salts
    /// and checksums. They become durable with this session's other commits.
    ///
    /// The caller has proven that they leave a sound database.
    ///
    /// - Precondition: the last frame ends a commit.
    package func apply(_ frames: [WALFrame]) throws(StorageError) {
        precondition(frames.last?.databaseSize ?? 0 > 0, "a transaction without an end")
        try prepareToWrite()
        guard let head = database.sharedFile.beginFrames() else {
            throw .databaseBusy(database.name)
        }
        defer { database.sharedFile.endFrames() }
        var writer = WALFrameWriter(head: head, file: database.walFile, observer: database.recorder)
        do throws(StorageError) {
            try writer.write(frames)
        } catch {
            // A full disk cuts a write short, and no commit is there. After anything else nobody
            // knows what the file holds.
            if case .file(let operation, _, let code) = error, operation == "write",
                code == File.diskFullCode
            {
                throw error
            }
            database.sharedFile.noteFailure()
            throw error
        }
        database.sharedFile.publishFrames(
            pages: frames.map(\.page), databaseSize: frames.last!.databaseSize,
            checksum: writer.checksum, head: head)
    }

    /// Ends the current generation, and begins the next one with the newest state. Durable when it
    /// returns.
    package func rollGeneration() throws(StorageError) -> FrameGeneration {
        try database.rollGeneration()
    }
}

/// Appends frames to a WAL as SQLite would.
///
/// Format: https://www.sqlite.org/fileformat2.html#walformat
private struct WALFrameWriter {
    let head: SharedDatabaseFile.WALHead
    let file: File
    let observer: WALRecorder
    /// Of the last frame that was written.
    var checksum: (UInt32, UInt32)

    init(head: SharedDatabaseFile.WALHead, file: File, observer: WALRecorder) {
        self.head = head
        self.file = file
        self.observer = observer
        checksum = head.checksum
    }

    mutating func write(_ frames: [WALFrame]) throws(StorageError) {
        if head.lastFrame == 0 { try writeHeader() }
        var number = head.lastFrame
        var done = 0
        while done < frames.count {
            let part = frames[done..<min(done + 256, frames.count)]
            var bytes: [UInt8] = []
            bytes.reserveCapacity(part.count * WALScanner.frameSize)
            for frame in part { append(frame, to: &bytes) }
            try file.write(bytes, at: WALScanner.frameOffset(number + 1), for: .pushedFrames)
            for frame in part {
                number += 1
                observer.walFrameWritten(
                    number: number, page: frame.page, databaseSize: frame.databaseSize)
            }
            done += part.count
        }
    }

    /// Flushed before any frame: frames of the WAL's former life must not count any more when new
    /// ones begin to replace them.
    private mutating func writeHeader() throws(StorageError) {
        var bytes: [UInt8] = []
        // Checksums over little-endian words.
        for word in [0x377F_0682, 3_007_000, UInt32(pageSize), 0, head.salts.0, head.salts.1] {
            bytes.appendBigEndian(word)
        }
        checksum = unsafe bytes.withUnsafeBytes {
            unsafe WALScanner.checksum($0, from: (0, 0), isBigEndian: false)
        }
        bytes.appendBigEndian(checksum.0)
        bytes.appendBigEndian(checksum.1)
        try file.write(bytes, at: 0, for: .pushedWALHeader)
        observer.walHeaderWritten(salt1: head.salts.0, salt2: head.salts.1)
        try file.synchronize(for: .pushedWALHeader)
    }

    private mutating func append(_ frame: WALFrame, to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.appendBigEndian(frame.page)
        bytes.appendBigEndian(frame.databaseSize)
        let isBigEndian = head.usesBigEndianChecksums
        checksum = unsafe bytes.withUnsafeBytes { buffer in
            unsafe WALScanner.checksum(
                UnsafeRawBufferPointer(rebasing: buffer[start..<start + 8]), from: checksum,
                isBigEndian: isBigEndian)
        }
        checksum = unsafe frame.content.withUnsafeBytes {
            unsafe WALScanner.checksum($0, from: checksum, isBigEndian: isBigEndian)
        }
        bytes.appendBigEndian(head.salts.0)
        bytes.appendBigEndian(head.salts.1)
        bytes.appendBigEndian(checksum.0)
        bytes.appendBigEndian(checksum.1)
        bytes += frame.content
    }
}
