internal import Dispatch
internal import Execution
internal import Glibc
internal import Logging
package import Primitives
internal import SQLite
internal import Synchronization

/// One open database: the owner of its files, its connections and its books.
///
/// Two lanes run its SQL on the worker pool: one writer, several readers. Commits and
/// checkpoints both run on the writer lane, so they never overlap, which SQLite needs
/// (https://www.sqlite.org/wal.html#walresetbug). Snapshots read the files directly and wait for
/// neither.
///
/// `Database+Writing`, `+Holding`, `+Flushing`, `+Failing`, `+Checkpoint`, `+Reading` and `+Waiting`
/// have the rest.
package final class Database: @unchecked Sendable {
    // @unchecked: `state` is guarded by its mutex; what is marked "writer lane" is used by the
    // one job that runs there; the rest never changes after `open`.

    /// What the mutex guards.
    struct Shared {
        /// Holds what is durable, and nothing else.
        var books: DatabaseState
        /// What is written and not durable yet.
        var commits: CommitQueue<WALRecorder.Commit, Answer>
        /// Frames of the commits in `commits`.
        var pendingFrameCount = 0
        /// SQLite started its WAL over, and no commit behind that is durable.
        var hasFreshWAL = false
        /// The writer lane waits for the flush that runs.
        var flushWaiter: DispatchSemaphore?
        var waiters: [UInt64: Waiter] = [:]
        var nextWaiter: UInt64 = 0
        var idleReaders: [Connection] = []
        /// Jobs that have a reader or open one.
        var busyReaderCount = 0
        /// What is left of closing, once no reader is busy.
        var whenReadersEnd: (@Sendable () -> Void)?
        /// Set once; every later operation fails.
        var closing: StorageError?
        /// Nobody's, or an open transaction's that no job works on now.
        var heldWriter: HeldWriter?
        var nextHold: UInt64 = 0
        /// The WAL's tail is in doubt and could not be cut off.
        var mustStayClosed = false
        var schedule: CheckpointSchedule
        var lastCheckpoint: CheckpointRecord?
    }

    /// Called when something is durable, or with the reason why it never will be.
    typealias Answer = @Sendable (StorageError?) -> Void

    struct Waiter {
        let commit: CommitNumber
        let wake: @Sendable () -> Void
    }

    package let name: DatabaseName
    package let databaseID: DatabaseID
    let path: String
    let options: StorageOptions
    let logger: Logger
    let epoch: Epoch
    let workers: WorkerPool
    let state: Mutex<Shared>
    let writerLane: Lane
    let readerLane: Lane

    let sharedFile: SharedDatabaseFile
    /// Our own descriptor of the main file, which also holds the lock against other programs.
    let mainFile: File
    let walFile: File
    let historyFile: File
    /// Taken before `state` where both are.
    let historyLog: Mutex<HistoryLog>
    /// Taken before `state` where both are.
    let generationFiles: Mutex<GenerationFiles>

    let images: DatabaseImages

    /// Replicas that were dropped since the database was opened.
    let droppedPinCount = Atomic(0)

    // Writer lane:
    var writer: Connection
    /// The job that runs has called `WriterSession.hold`.
    var isWriterHeld = false
    let recorder: WALRecorder
    let metaFile: MetaFile
    let changeFile: ChangeFile
    package let rejectedChanges: RejectedChangeLog
    var walSalts: Meta.WALSalts?
    var walBase: CommitNumber
    var isFailureSettled = false

    /// Opens a database's folder; see `DatabaseOpening` for what happens to what a crash left.
    init(
        name: DatabaseName, opening: consuming DatabaseOpening, epoch: Epoch,
        options: StorageOptions, pageCache: PageCache, workers: WorkerPool, logger: Logger
    ) {
        self.name = name
        images = DatabaseImages(cache: pageCache)
        path = opening.path
        databaseID = opening.books.databaseID
        self.options = options
        self.logger = logger
        self.epoch = epoch
        self.workers = workers
        let flusher = WeakFlusher()
        writerLane = Lane(
            pool: workers, limit: options.queueLimit, whenLeft: { flusher.database?.flush() })
        readerLane = Lane(pool: workers, width: options.readerCount, limit: options.queueLimit)
        sharedFile = opening.sharedFile
        mainFile = opening.mainFile
        walFile = opening.walFile
        historyFile = opening.historyFile
        historyLog = Mutex(opening.historyLog)
        generationFiles = Mutex(opening.generationFiles)
        writer = opening.writer
        recorder = opening.recorder
        metaFile = opening.metaFile
        changeFile = opening.changeFile
        rejectedChanges = opening.rejectedChanges
        walSalts = opening.walSalts
        walBase = opening.walBase
        settingsCache = Atomic(opening.metaFile.meta.settings.rawValue)
        state = Mutex(
            Shared(
                books: opening.books, commits: CommitQueue(head: opening.books.head),
                schedule: CheckpointSchedule(
                    tiers: .init(
                        truncateFrameCount: options.truncatePageCount,
                        minimumFrameCount: options.minCheckpointPageCount,
                        interval: options.checkpointInterval), now: options.monotonicClock.now())))
        let lastFrame = state.withLock { $0.books.lastFrame }
        recorder.begin(lastFrame: lastFrame) { [unowned self] in take($0) }
        sharedFile.observer = recorder
        flusher.database = self
    }

    package var settings: Meta.Settings {
        Meta.Settings(rawValue: settingsCache.load(ordering: .acquiring))
    }

    /// A checkpoint could not finish for readers, so those that read for too long are ended. Outside
    /// of `state`, because each of them looks at it every few microseconds.
    let isCheckpointHeldUp = Atomic(false)

    /// A copy of `metaFile.meta.settings` that any thread may read.
    let settingsCache: Atomic<UInt32>

    /// The newest durable revision and the size of the database then, in pages.
    package var head: (revision: Revision, databaseSize: UInt32) {
        state.withLock { ($0.books.headRevision, $0.books.databaseSize) }
    }

    /// Bytes of the main file and the WAL.
    package func sizeOnDisk() throws(StorageError) -> Int64 {
        try mainFile.size() + walFile.size()
    }

    // MARK: closing

    /// Refuses everything from now on, with `reason`, wakes all waiters, and rolls back the
    /// transaction that holds the writer.
    func beginClosing(_ reason: StorageError) {
        let held = state.withLock { state -> HeldWriter? in
            if state.closing == nil { state.closing = reason }
            defer { state.heldWriter = nil }
            return state.heldWriter
        }
        images.close()
        if let held { end(held) }
        wakeWaiters()
    }

    /// Closes the connections behind the jobs that are queued, then calls `completion`.
    /// Snapshots still held fail at their next read.
    func close(reason: StorageError, completion: @escaping @Sendable () -> Void) {
        beginClosing(reason)
        writerLane.submitAlways { [self] in
            settle()
            let readers = state.withLock { state -> [Connection] in
                defer { state.idleReaders = [] }
                return state.idleReaders
            }
            for reader in readers { reader.close() }
            // A reader that is still busy shares the wal-index: if the database were opened
            // again now, with a new one, checkpoints would not know of it.
            let isLast = state.withLock { state -> Bool in
                if state.busyReaderCount == 0 { return true }
                state.whenReadersEnd = { [self] in
                    workers.submit { [self] in closeFiles(completion: completion) }
                }
                return false
            }
            if isLast { closeFiles(completion: completion) }
        }
    }

    private func closeFiles(completion: @Sendable () -> Void) {
        writer.close()
        // What is not written stays as it was written last, which is safe.
        try? recordReplicas()
        historyLog.withLock { $0.isClosed = true }
        generationFiles.withLock { $0.isClosed = true }
        DatabaseVFS.unregister(sharedFile)
        mainFile.unlockAgainstSQLite()
        completion()
    }

    /// Wakes all long polls, as a commit does.
    func wakeWaiters() {
        let waiters = state.withLock { state -> [Waiter] in
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.wake() }
    }

    var isClosing: Bool { state.withLock { $0.closing != nil } }
    var mustStayClosed: Bool { state.withLock { $0.mustStayClosed } }
}

/// Lets the writer lane, which is made before its database, flush it.
private final class WeakFlusher: @unchecked Sendable {
    // @unchecked: set once, before the lane gets its first job.
    weak var database: Database?
}
