internal import Synchronization

/// Learns what SQLite writes to a database's WAL. Calls come from the thread that runs the
/// writer's connection, before SQLite makes the frames visible.
package protocol WALWriteObserver: AnyObject {
    /// A WAL starts over at frame 1 with new salts.
    func walHeaderWritten(salt1: UInt32, salt2: UInt32)
    /// - Parameter databaseSize: in pages after the commit that this frame ends; 0 otherwise.
    func walFrameWritten(number: UInt32, page: UInt32, databaseSize: UInt32)
    /// A write transaction ends, by commit or rollback; its lock is still held.
    ///
    /// - Parameter lastFrame: the last frame that is committed; 0 if the WAL holds none.
    func walWriteEnds(lastFrame: UInt32)
}

/// What all connections of this process to one database file share: the file lock, the
/// wal-index and its locks. All of it lives on the heap, so there is no `-shm` file, and SQLite
/// takes no lock of the operating system: `Storage` holds an exclusive one on the same bytes for
/// as long as the database is open, which keeps every other process out.
package final class SharedDatabaseFile: @unchecked Sendable {
    // @unchecked: `state` is guarded by its mutex; `observer` is set before the first
    // connection opens; the wal-index memory is shared the way SQLite shares it, under its
    // own protocol of locks and barriers.

    /// One wal-index region, as SQLite sizes them.
    static let regionSize = 32768
    /// Number of wal-index locks: WRITE, CKPT, RECOVER and five read marks.
    static let lockCount = 8
    /// The one of these that a write transaction holds.
    static let writeLock = 0
    /// The one that a checkpoint holds.
    static let checkpointLock = 1

    @safe private struct State {
        // SAFETY: owned by the file and freed under its mutex, once no connection is left that
        // SQLite could have handed a region to.
        var regions: [UnsafeMutableRawPointer] = unsafe []
        /// Holders per lock: a count of sharers, or -1 for one exclusive holder.
        var walLocks = [Int](repeating: 0, count: SharedDatabaseFile.lockCount)
        var connectionCount = 0
        /// Connections that hold the file's SHARED lock or more.
        var fileSharers = 0
        var fileWriterLevel: Int32 = 0
        var hasFailed = false
    }

    package let path: String
    package weak var observer: (any WALWriteObserver)?
    private let state = Mutex(State())

    package init(path: String) { self.path = path }

    deinit {
        state.withLock { state in
            for index in unsafe state.regions.indices { unsafe state.regions[index].deallocate() }
        }
    }

    /// A write or a flush failed (a full disk apart): what the files hold is in doubt.
    package var hasFailed: Bool { state.withLock { $0.hasFailed } }

    var isCheckpointing: Bool { state.withLock { $0.walLocks[Self.checkpointLock] < 0 } }

    package func noteFailure() { state.withLock { $0.hasFailed = true } }

    // MARK: wal-index memory

    func connectionAttached() { state.withLock { $0.connectionCount += 1 } }

    /// The last one out discards the wal-index: the next connection recovers from the WAL.
    func connectionDetached() {
        state.withLock { state in
            state.connectionCount -= 1
            guard state.connectionCount == 0 else { return }
            for index in unsafe state.regions.indices { unsafe state.regions[index].deallocate() }
            unsafe state.regions = []
            state.walLocks = [Int](repeating: 0, count: Self.lockCount)
        }
    }

    func mapRegion(_ index: Int, extend: Bool) -> UnsafeMutableRawPointer? {
        unsafe state.withLock { state in
            while unsafe extend && state.regions.count <= index {
                let region = UnsafeMutableRawPointer.allocate(
                    byteCount: Self.regionSize, alignment: 64)
                unsafe region.initializeMemory(as: UInt8.self, repeating: 0, count: Self.regionSize)
                unsafe state.regions.append(region)
            }
            return unsafe index < state.regions.count ? state.regions[index] : nil
        }
    }

    /// The number of the newest committed frame and the database's size in pages, as SQLite's
    /// own recovery found them; nil before any connection has read the WAL.
    ///
    /// Offsets in the wal-index header: https://www.sqlite.org/walformat.html, section 2.1.
    package func walIndexHeader() -> (lastFrame: UInt32, databaseSize: UInt32)? {
        state.withLock { state in
            guard let region = unsafe state.regions.first,
                unsafe region.load(fromByteOffset: 12, as: UInt8.self) != 0
            else { return nil }
            return unsafe (
                region.load(fromByteOffset: 16, as: UInt32.self),
                region.load(fromByteOffset: 20, as: UInt32.self)
            )
        }
    }

    // MARK: wal-index locks

    func lockShared(_ range: Range<Int>) -> Bool {
        state.withLock { state in
            guard range.allSatisfy({ state.walLocks[$0] >= 0 }) else { return false }
            for index in range { state.walLocks[index] += 1 }
            return true
        }
    }

    func lockExclusive(_ range: Range<Int>) -> Bool {
        state.withLock { state in
            guard range.allSatisfy({ state.walLocks[$0] == 0 }) else { return false }
            for index in range { state.walLocks[index] = -1 }
            return true
        }
    }

    func unlockShared(_ range: Range<Int>) {
        state.withLock { state in
            for index in range {
                precondition(state.walLocks[index] > 0, "a shared wal-index lock was not held")
                state.walLocks[index] -= 1
            }
        }
    }

    func unlockExclusive(_ range: Range<Int>) {
        state.withLock { state in
            for index in range {
                precondition(state.walLocks[index] == -1, "a wal-index lock was not held")
                state.walLocks[index] = 0
            }
        }
    }

    // MARK: file lock

    /// Moves one connection from a lower to a higher lock of the rollback protocol. A database in
    /// WAL mode needs no more than SHARED; the rest is here so that SQLite is never told a lie.
    func raiseFileLock(from held: Int32, to wanted: Int32) -> Bool {
        let shared: Int32 = 1
        return state.withLock { state in
            if held < shared {
                // EXCLUSIVE and PENDING keep new readers out.
                guard state.fileWriterLevel < 3 else { return false }
                state.fileSharers += 1
                if wanted == shared { return true }
            }
            guard state.fileWriterLevel == 0 || held > shared else { return false }
            if wanted == 4 && state.fileSharers > 1 { return false }
            state.fileWriterLevel = wanted
            return true
        }
    }

    func lowerFileLock(from held: Int32, to wanted: Int32) {
        state.withLock { state in
            if held > 1 && wanted <= 1 { state.fileWriterLevel = 0 }
            if held >= 1 && wanted == 0 { state.fileSharers -= 1 }
        }
    }

    var hasReservedFileLock: Bool { state.withLock { $0.fileWriterLevel >= 2 } }
}
