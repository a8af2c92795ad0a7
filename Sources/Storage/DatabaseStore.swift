internal import Dispatch
package import Execution
package import Logging
package import Primitives
internal import SQLite
internal import Synchronization

/// All databases under one data directory, which it locks for this process.
///
/// A database is opened by the first request for it and stays open until more than
/// `StorageOptions.openDatabaseLimit` are; then the one that was unused the longest is closed.
/// Safe to use from any thread. `DatabaseStore+Creating` holds what makes and removes databases.
package final class DatabaseStore: Sendable {
    package typealias Completion = @Sendable (Result<DatabaseLease, StorageError>) -> Void

    struct OpenDatabase {
        let database: Database
        var leaseCount: Int
        var lastUse: UInt64
    }

    enum Entry {
        /// On disk only.
        case closed
        /// A worker opens it, or closes it to open it again, for those who wait.
        case opening(waiting: [Completion])
        case open(OpenDatabase)
        /// A worker closes it; whoever comes meanwhile waits until it can be opened again.
        case closing(waiting: [Completion])
        /// The end of its WAL is in doubt, and could not be cut off: until a restart nobody may
        /// open it.
        case failed
        /// Being made or removed: not to be found, and the name is taken.
        case reserved
    }

    struct State {
        var entries: [DatabaseName: Entry] = [:]
        var openCount = 0
        var useCounter: UInt64 = 0
        var isClosed = false
        /// Drawn when a database is first opened by this process. One for each, because two may
        /// be copies of one another: the folder was copied while no server ran.
        var epochs: [DatabaseName: Epoch] = [:]
        /// Of the databases that were open once.
        var traffic: [DatabaseName: TrafficCounter] = [:]

        mutating func traffic(of name: DatabaseName) -> TrafficCounter {
            if let counter = traffic[name] { return counter }
            let counter = TrafficCounter()
            traffic[name] = counter
            return counter
        }

        /// Its name is free for another one.
        mutating func remove(_ name: DatabaseName) {
            entries[name] = nil
            traffic[name] = nil
        }
    }

    package let directory: String
    package let options: StorageOptions
    let workers: WorkerPool
    let logger: Logger
    let state: Mutex<State>
    let pageCache: PageCache
    /// Held open for its lock.
    private let lockFile: File
    /// Databases that a worker opens, closes or removes right now.
    let transitions = DispatchGroup()

    var databasesDirectory: String { directory + "/databases" }
    func path(of name: DatabaseName) -> String { databasesDirectory + "/" + name.text }

    /// Opens the data directory, making it if need be, with a database `default` in it.
    ///
    /// - Throws: `dataDirectoryLocked` while another process uses it.
    package init(
        directory: String, options: StorageOptions, workers: WorkerPool, logger: Logger
    ) throws(StorageError) {
        try Directory.create(directory, for: .dataFolder)
        self.directory = try Directory.canonical(directory)
        self.options = options
        self.workers = workers
        self.logger = logger
        pageCache = PageCache(
            directory: self.directory + "/databases", limit: options.pageCacheSize,
            clock: options.monotonicClock, workers: workers, logger: logger)
        lockFile = try File(path: self.directory + "/LOCK", mode: .create)
        guard try lockFile.lockWhole() else {
            throw .dataDirectoryLocked(path: self.directory)
        }
        let databases = self.directory + "/databases"
        try Directory.create(databases, for: .databasesFolder)
        try Directory.synchronize(self.directory, for: .dataFolder)
        try Directory.synchronizeParentIfAllowed(self.directory, for: .dataFolderName)
        var entries: [DatabaseName: Entry] = [:]
        for name in try Directory.names(in: databases) {
            if name.hasPrefix(".") {
                // Left by a crash while a database was made, received or removed.
                try Directory.remove(databases + "/" + name, for: .leftover)
            } else if let name = DatabaseName(name) {
                entries[name] = .closed
            } else {
                logger.warning("unexpected_file", [("name", name)])
            }
        }
        state = Mutex(State(entries: entries))
        if entries[.default] == nil { try create(.default) }
    }

    /// The names of all databases, sorted.
    package var names: [DatabaseName] {
        state.withLock { state in
            state.entries.compactMap { name, entry in
                if case .reserved = entry { nil } else { name }
            }.sorted()
        }
    }

    package func contains(_ name: DatabaseName) -> Bool {
        state.withLock { state in
            switch state.entries[name] {
            case nil, .reserved: false
            default: true
            }
        }
    }

    /// Bytes of a database's main file and WAL; 0 if it is just being removed.
    package func sizeOnDisk(_ name: DatabaseName) -> Int64 {
        ["main.db", "main.db-wal"].reduce(0) { sum, file in
            let size = try? File(path: path(of: name) + "/" + file, mode: .read).size()
            return sum + (size ?? 0)
        }
    }

    /// The newest revision of a database, if it is open.
    package func openHead(_ name: DatabaseName) -> Revision? {
        let database = state.withLock { state -> Database? in
            if case .open(let open) = state.entries[name] { open.database } else { nil }
        }
        return database?.head.revision
    }

    // MARK: opening

    /// Calls `completion` with the database: at once if it is open, else from a worker.
    package func acquire(_ name: DatabaseName, completion: @escaping Completion) {
        enum Decision {
            case ready(Database, TrafficCounter)
            case failed(StorageError)
            case open
            case closeFirst(Database)
            case wait
        }
        let decision = state.withLock { state -> Decision in
            guard !state.isClosed else { return .failed(.closed) }
            switch state.entries[name] {
            case nil, .reserved: return .failed(.unknownDatabase(name))
            case .failed: return .failed(.databaseFailed(name))
            case .closed:
                state.entries[name] = .opening(waiting: [completion])
                transitions.enter()
                return .open
            case .opening(let waiting):
                state.entries[name] = .opening(waiting: waiting + [completion])
                return .wait
            case .closing(let waiting):
                state.entries[name] = .closing(waiting: waiting + [completion])
                return .wait
            case .open(var open):
                if open.database.isClosing {
                    // A write failed: open it afresh, once nobody uses it any more.
                    guard open.leaseCount == 0 else { return .failed(.databaseFailed(name)) }
                    state.entries[name] = .closing(waiting: [completion])
                    transitions.enter()
                    state.openCount -= 1
                    return .closeFirst(open.database)
                }
                open.leaseCount += 1
                state.useCounter += 1
                open.lastUse = state.useCounter
                state.entries[name] = .open(open)
                return .ready(open.database, state.traffic(of: name))
            }
        }
        switch decision {
        case .ready(let database, let traffic):
            completion(
                .success(DatabaseLease(database: database, traffic: traffic, store: self)))
        case .failed(let error): completion(.failure(error))
        case .open: workers.submit { self.open(name) }
        case .closeFirst(let database): close(database)
        case .wait: break
        }
    }

    private func open(_ name: DatabaseName) {
        let (isClosed, epoch) = state.withLock { state in
            let epoch = state.epochs[name] ?? RandomIdentifier.epoch()
            state.epochs[name] = epoch
            return (state.isClosed, epoch)
        }
        let result: Result<Database, StorageError>
        do throws(StorageError) {
            if isClosed { throw .closed }
            let opening = try DatabaseOpening(name: name, path: path(of: name), logger: logger)
            result = .success(
                Database(
                    name: name, opening: opening, epoch: epoch, options: options,
                    pageCache: pageCache, workers: workers, logger: logger))
        } catch {
            if !isClosed {
                logger.error("open_failed", [("database", name.text), ("error", "\(error)")])
            }
            result = .failure(error)
        }
        let (waiting, traffic) = state.withLock { state -> ([Completion], TrafficCounter) in
            guard case .opening(let waiting) = state.entries[name] else {
                preconditionFailure("a database was opened twice")
            }
            switch result {
            case .success(let database):
                state.useCounter += 1
                state.openCount += 1
                state.entries[name] = .open(
                    OpenDatabase(
                        database: database, leaseCount: waiting.count, lastUse: state.useCounter))
            case .failure: state.entries[name] = .closed
            }
            return (waiting, state.traffic(of: name))
        }
        transitions.leave()
        for completion in waiting {
            completion(
                result.map { DatabaseLease(database: $0, traffic: traffic, store: self) })
        }
        closeUnusedIfTooMany()
    }

    // MARK: closing

    func leaseEnded(_ database: Database) {
        state.withLock { state in
            guard case .open(var open) = state.entries[database.name], open.database === database
            else { return }
            open.leaseCount -= 1
            state.entries[database.name] = .open(open)
        }
        closeUnusedIfTooMany()
    }

    private func closeUnusedIfTooMany() {
        let victim = state.withLock { state -> Database? in
            guard state.openCount > options.openDatabaseLimit, !state.isClosed else { return nil }
            var oldest: OpenDatabase?
            for case .open(let open) in state.entries.values where open.leaseCount == 0 {
                if open.lastUse < oldest?.lastUse ?? .max { oldest = open }
            }
            guard let oldest else { return nil }
            state.entries[oldest.database.name] = .closing(waiting: [])
            transitions.enter()
            state.openCount -= 1
            return oldest.database
        }
        if let victim { close(victim) }
    }

    /// Closes a database whose entry is `.closing`, then opens it again if somebody waits.
    private func close(_ database: Database) {
        let name = database.name
        database.close(reason: .closed) {
            let waiting = self.state.withLock { state -> [Completion] in
                guard case .closing(let waiting) = state.entries[name] else {
                    preconditionFailure("a database was closed twice")
                }
                // Numbers of commits that were lost are used again, under another name.
                if database.sharedFile.hasFailed { state.epochs[name] = nil }
                if database.mustStayClosed {
                    state.entries[name] = .failed
                } else {
                    state.entries[name] = waiting.isEmpty ? .closed : .opening(waiting: waiting)
                }
                return waiting
            }
            // Opening it again belongs to the same transition.
            if !waiting.isEmpty, !database.mustStayClosed {
                return self.workers.submit { self.open(name) }
            }
            self.transitions.leave()
            for completion in waiting { completion(.failure(.databaseFailed(name))) }
        }
    }

    /// Closes all databases and refuses further use. Call from a thread that is not a worker.
    package func close() {
        state.withLock { $0.isClosed = true }
        // None begins any more; those that began may still leave a database open.
        transitions.wait()
        let open = state.withLock { state -> [Database] in
            state.entries.values.compactMap { entry in
                if case .open(let open) = entry { open.database } else { nil }
            }
        }
        let group = DispatchGroup()
        for database in open {
            group.enter()
            database.close(reason: .closed) { group.leave() }
        }
        group.wait()
        lockFile.unlockWhole()
    }
}
