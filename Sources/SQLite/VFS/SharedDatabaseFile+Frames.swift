internal import CSQLite
internal import Glibc

/// Commits whose frames somebody else than SQLite writes to the WAL: the locks and the wal-index
/// are handled as SQLite does for a transaction of its own.
///
/// Order: `beginFrames`; append the frames to the WAL behind `WALHead.lastFrame`; `publishFrames`;
/// `endFrames`. Connections see the commit from `publishFrames` on, and
/// readers under way keep what they saw.
extension SharedDatabaseFile {
    /// Where the next frame goes and what its checksum continues.
    package struct WALHead: Sendable {
        /// 0: the WAL begins with these frames, and its header has to be written and flushed first.
        package var lastFrame: UInt32
        /// In pages.
        package var databaseSize: UInt32
        package var checksum: (UInt32, UInt32)
        package var salts: (UInt32, UInt32)
        package var usesBigEndianChecksums: Bool
        fileprivate var changeCounter: UInt32
    }

    /// Takes SQLite's write lock, and starts the WAL over if all of it is in the database file
    /// and nobody reads it. Nil while a connection writes, or none has opened the WAL yet.
    package func beginFrames() -> WALHead? {
        let write = Self.writeLock..<Self.writeLock + 1
        guard lockExclusive(write) else { return nil }
        guard var header = walIndex.header else {
            unlockExclusive(write)
            return nil
        }
        if header.lastFrame > 0, walIndex.backfilledFrame == header.lastFrame,
            lockExclusive(Self.readMarkLocks)
        {
            header.lastFrame = 0
            header.salts.0 &+= 1
            header.salts.1 = UInt32.random(in: 0...UInt32.max)
            walIndex.write(header, barrier: csqlite_memory_barrier)
            walIndex.resetCheckpointInfo()
            unlockExclusive(Self.readMarkLocks)
        }
        if header.lastFrame == 0 && header.salts == (0, 0) {
            // There never was a WAL.
            header.salts = (UInt32.random(in: 0...UInt32.max), UInt32.random(in: 0...UInt32.max))
        }
        if header.lastFrame == 0 { header.usesBigEndianChecksums = false }
        return WALHead(
            lastFrame: header.lastFrame, databaseSize: header.databaseSize,
            checksum: header.frameChecksum, salts: header.salts,
            usesBigEndianChecksums: header.usesBigEndianChecksums,
            changeCounter: header.changeCounter)
    }

    /// Shows frames that are in the WAL to all connections, as one commit.
    ///
    /// - Parameters:
    ///   - pages: of the frames, in order.
    ///   - databaseSize: in pages, after the commit.
    ///   - checksum: of the last frame.
    ///   - head: what `beginFrames` gave.
    package func publishFrames(
        pages: [UInt32], databaseSize: UInt32, checksum: (UInt32, UInt32), head: WALHead
    ) {
        for (index, page) in pages.enumerated() {
            walIndex.append(frame: head.lastFrame + UInt32(index) + 1, page: page)
        }
        walIndex.write(
            WALIndex.Header(
                changeCounter: head.changeCounter &+ 1,
                usesBigEndianChecksums: head.usesBigEndianChecksums,
                lastFrame: head.lastFrame + UInt32(pages.count), databaseSize: databaseSize,
                frameChecksum: checksum, salts: head.salts),
            barrier: csqlite_memory_barrier)
    }

    /// Lets go of the write lock, with or without a commit.
    package func endFrames() {
        observer?.walWriteEnds(lastFrame: walIndexHeader()?.lastFrame ?? 0)
        unlockExclusive(Self.writeLock..<Self.writeLock + 1)
    }

    private var walIndex: WALIndex {
        unsafe WALIndex { [self] number in
            guard let region = unsafe mapRegion(number, extend: true) else {
                preconditionFailure("a wal-index region could not be made")
            }
            return unsafe region
        }
    }

    /// Marks 1 to 4: those of readers that use the WAL.
    private static let readMarkLocks = 4..<lockCount
}
