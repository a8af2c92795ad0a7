internal import Dispatch
internal import Endpoints
internal import Execution
internal import Glibc
internal import Logging
internal import Primitives
internal import SQLStreams
internal import SQLite
internal import Storage
internal import Synchronization

/// The databases of a data directory that no server uses at the moment.
final class LocalAdministration: DatabaseAdministration {
    private let directory: String
    private let workers = WorkerPool(threadCount: 2)
    private var openedStore: DatabaseStore?

    init(directory: String) { self.directory = directory }

    deinit {
        openedStore?.close()
        workers.stop()
    }

    /// - Parameter mayCreate: whether a data directory that is not there is to be made.
    /// - Throws: `dataDirectoryInUse` while a server runs.
    private func store(mayCreate: Bool = false) throws(AdministrationError) -> DatabaseStore {
        if let openedStore { return openedStore }
        guard unsafe mayCreate || access(directory, F_OK) == 0 else {
            throw .noSuchDataDirectory(path: directory)
        }
        do throws(StorageError) {
            let store = try DatabaseStore(
                directory: directory, options: StorageOptions(), workers: workers,
                logger: .standardError(minimumLevel: .error))
            openedStore = store
            return store
        } catch {
            throw Self.administrationError(error)
        }
    }

    func create(_ name: DatabaseName) throws(AdministrationError) {
        let store = try store(mayCreate: true)
        do throws(StorageError) { try store.create(name) } catch {
            throw Self.administrationError(error)
        }
    }

    func list() throws(AdministrationError) -> [DatabaseSummary] {
        let store = try store()
        var summaries: [DatabaseSummary] = []
        for name in store.names {
            let head = try acquire(name).database.head
            summaries.append(
                DatabaseSummary(
                    name: name.text, sizeBytes: UInt64(store.sizeOnDisk(name)),
                    revision: head.revision.wire))
        }
        return summaries
    }

    func statistics(_ name: DatabaseName) throws(AdministrationError) -> StatisticsReport {
        let lease = try acquire(name)
        do throws(StorageError) { return try StatisticsReport(lease, openStreams: 0) } catch {
            throw Self.administrationError(error)
        }
    }

    func delete(_ name: DatabaseName) throws(AdministrationError) {
        let store = try store()
        let failure: StorageError? = wait { done in store.delete(name, completion: done) }
        if let failure { throw Self.administrationError(failure) }
    }

    func checkpoint(
        _ name: DatabaseName, _ mode: CheckpointMode
    ) throws(AdministrationError) -> CheckpointResult {
        let lease = try acquire(name)
        let result: Result<CheckpointResult, StorageError> = wait { done in
            lease.database.operatorCheckpoint(mode, completion: done)
        }
        switch result {
        case .success(let result): return result
        case .failure(let error): throw Self.administrationError(error)
        }
    }

    func pins(_ name: DatabaseName) throws(AdministrationError) -> [PinSummary] {
        try acquire(name).database.partialReplicas.map { replica in
            PinSummary(
                id: replica.id.hexadecimal, base: replica.base.commit.rawValue,
                basePages: replica.base.databaseSize, echoed: replica.echoed.commit.rawValue,
                position: replica.sent.commit.rawValue,
                lastUse: Logger.timestamp(secondsSince1970: replica.lastUse))
        }
    }

    func dropPin(_ id: ReplicaID, of name: DatabaseName) throws(AdministrationError) {
        let lease = try acquire(name)
        let result: Result<Bool, StorageError> = wait { done in
            lease.database.dropReplica(id, completion: done)
        }
        switch result {
        case .success(true): return
        case .success(false): throw .rejected("the database has no such pin")
        case .failure(let error): throw Self.administrationError(error)
        }
    }

    func importFile(
        _ name: DatabaseName, from path: String, progress: @escaping (TransferProgress) -> Void
    ) throws(AdministrationError) -> ImportSummary {
        guard unsafe access(path, R_OK) == 0 else {
            throw .inputOutput("\(path): \(unsafe String(cString: strerror(errno)))")
        }
        var status = stat()
        let size = unsafe stat(path, &status) == 0 ? UInt64(status.st_size) : 0
        let store = try store(mayCreate: true)
        do throws(StorageError) {
            let report = try store.importDatabase(
                name, from: path, check: ReplicaCompatibility.findings
            ) { step in
                let done = step.fraction.map { UInt64($0 * Double(size)) }
                progress(
                    TransferProgress(
                        step: step.phase.description, completedBytes: done ?? 0,
                        totalBytes: done == nil ? nil : size))
            }
            return ImportSummary(
                pageCount: UInt64(report.pageCount), conversions: report.conversions,
                warnings: report.warnings)
        } catch {
            throw Self.administrationError(error)
        }
    }

    func exportFile(
        _ name: DatabaseName, to path: String, progress: @escaping (TransferProgress) -> Void
    ) throws(AdministrationError) {
        let lease = try acquire(name)
        do throws(StorageError) {
            let exporter = SnapshotExporter(try lease.database.snapshot())
            let file = try File(path: path, mode: .readWrite)
            let total = Int64(exporter.databaseSize) * Int64(pageSize)
            var done: Int64 = 0
            while let piece = try exporter.nextPiece(maximumBytes: 1 << 20) {
                try file.write(piece, at: done, for: .export)
                done += Int64(piece.count)
                progress(
                    TransferProgress(
                        step: "copying", completedBytes: UInt64(done), totalBytes: UInt64(total)))
            }
        } catch {
            throw Self.administrationError(error)
        }
    }

    private func acquire(_ name: DatabaseName) throws(AdministrationError) -> DatabaseLease {
        let store = try store()
        let result: Result<DatabaseLease, StorageError> = wait { done in
            store.acquire(name, completion: done)
        }
        switch result {
        case .success(let lease): return lease
        case .failure(let error): throw Self.administrationError(error)
        }
    }

    /// Waits for what a worker hands over.
    private func wait<Value: Sendable>(
        _ start: (_ done: @escaping @Sendable (Value) -> Void) -> Void
    ) -> Value {
        let value = Handover<Value>()
        start { value.give($0) }
        return value.take()
    }

    static func administrationError(_ error: StorageError) -> AdministrationError {
        switch error {
        case .unknownDatabase(let name): .noSuchDatabase(name)
        case .databaseExists(let name): .databaseExists(name)
        case .dataDirectoryLocked(let path): .dataDirectoryInUse(path: path)
        case .databaseLocked(let name):
            .unavailable("another program has the file of database '\(name.text)' open")
        case .databaseBusy(let name), .queueFull(let name), .databaseFailed(let name):
            .unavailable("database '\(name.text)' cannot be used now; try again")
        case .importRefused(let reasons): .rejected(reasons.joined(separator: "\n  "))
        case .file(let operation, let path, let code):
            .inputOutput("\(operation) \(path): \(unsafe String(cString: strerror(code)))")
        case .corruptFile(let path, let reason): .failed("\(path): \(reason)")
        case .sqlite(let error): .failed("SQLite: \(error.message)")
        case .revisionGone, .tooManyPins, .closed, .outOfMemory: .failed("\(error)")
        }
    }
}

extension DatabaseImport.Progress.Phase {
    fileprivate var description: String {
        switch self {
        case .copy: "copying"
        case .convert: "converting"
        case .check: "checking"
        }
    }
}

/// One value from one thread to another.
private final class Handover<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let ready = DispatchSemaphore(value: 0)

    func give(_ value: Value) {
        self.value.withLock { $0 = value }
        ready.signal()
    }

    func take() -> Value {
        ready.wait()
        return value.withLock { $0! }
    }
}
