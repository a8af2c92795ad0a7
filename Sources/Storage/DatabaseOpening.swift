internal import Logging
internal import Primitives
internal import SQLite

/// Opens the files of a database and brings them to one state, whatever a crash left behind.
///
/// 1. Lock the main file against other programs.
/// 2. Make the WAL durable before anything is shown from it: after a kill it may hold commits
///    that were never flushed.
/// 3. Read meta, WAL and change file; `Recovery` decides what they mean together.
/// 4. Let SQLite recover the WAL and check that it found the same commits.
struct DatabaseOpening {
    let path: String
    let sharedFile: SharedDatabaseFile
    let mainFile: File
    let walFile: File
    let historyFile: File
    let historyLog: HistoryLog
    let generationFiles: GenerationFiles
    let writer: Connection
    let recorder = WALRecorder()
    let metaFile: MetaFile
    let changeFile: ChangeFile
    let rejectedChanges: RejectedChangeLog
    let walSalts: Meta.WALSalts?
    let walBase: CommitNumber
    let books: DatabaseState

    init(name: DatabaseName, path: String, logger: Logger) throws(StorageError) {
        self.path = path
        mainFile = try File(path: path + "/main.db", mode: .readWrite)
        guard try mainFile.lockAgainstSQLite() else { throw .databaseLocked(name) }
        metaFile = try MetaFile(path: path + "/meta")
        walFile = try File(path: path + "/main.db-wal", mode: .create)
        try walFile.synchronize(for: .foundWAL)
        historyFile = try File(path: path + "/history", mode: .create)
        var (historyLog, history) = try HistoryLog.open(
            directory: path, databaseID: metaFile.meta.databaseID,
            required: metaFile.meta.historySequence)
        var (generationFiles, generation) = try GenerationFiles.open(
            directory: path, databaseID: metaFile.meta.databaseID)
        try Directory.synchronize(path, for: .foundFolder)

        rejectedChanges = try RejectedChangeLog(path: path + "/rejected")

        let wal = try Self.scan(walFile)
        let meta = metaFile.meta
        let (changeFile, content) = try ChangeFile.open(
            directory: path, databaseID: meta.databaseID, recordedCommit: meta.recordedCommit)
        self.changeFile = changeFile
        let stamp = try mainFile.status()
        let recovery = Recovery(
            meta: meta,
            wal: wal.map { scanner in
                Recovery.WAL(
                    salts: .init(salt1: scanner.header.salt1, salt2: scanner.header.salt2),
                    commitCount: UInt64(scanner.commits.count))
            },
            mainFile: .init(size: stamp.size, modified: stamp.modified),
            hasChangeIndex: content != nil)
        walSalts = wal.map { .init(salt1: $0.header.salt1, salt2: $0.header.salt2) }
        walBase = recovery.walBase
        var index = content?.index ?? ChangeIndex()
        if recovery.breaksLineage {
            logger.warning(
                "lineage_broken",
                [
                    ("database", name.text),
                    (
                        "hint",
                        "the files were changed by another program, or some are missing; "
                            + "every replica gets all pages once"
                    ),
                ])
            try Self.beginLineage(
                recovery, metaFile: metaFile, changeFile: changeFile, walSalts: walSalts)
            index = ChangeIndex()
        }
        if history == nil || recovery.breaksLineage {
            // A client whose replica is unknown gets every page with its next pull.
            let kept = history?.replicas.count
            if kept != 0 {
                logger.warning(
                    "history_lost",
                    [("database", name.text), ("pins", kept.map { "\($0)" } ?? "unknown")])
            }
            if kept != nil { try historyLog.clear(after: historyLog.sequence) }
            history = nil
        }
        self.historyLog = historyLog

        // Nothing but what unregisters it again may fail from here on.
        sharedFile = SharedDatabaseFile(path: path + "/main.db")
        DatabaseVFS.register(sharedFile)
        do {
            writer = try WriterConnection.open(path: path + "/main.db")
            var books = try Self.books(
                meta: metaFile.meta, recovery: recovery, index: index, wal: wal,
                mainFileSize: stamp.size, sharedFile: sharedFile, path: path)
            // Frames that the log does not know are those of generations that clients know.
            let known = try generation?.number ?? generationFiles.newestFrames()
            var isWhole = false
            if let generation, history != nil {
                isWhole = books.restoreGeneration(
                    number: generation.number, base: generation.base,
                    baseEpoch: generation.baseEpoch, archivedEnds: generation.archivedEnds,
                    hasAskedForCheckpoint: generation.hasAskedForCheckpoint)
            }
            if known > 0, !isWhole {
                generation = try Self.jump(
                    from: known, &generationFiles, &books, name: name, logger: logger)
            }
            self.generationFiles = generationFiles
            let lost = books.restore(history?.replicas ?? [], images: history?.images ?? [])
            if !lost.isEmpty {
                logger.warning(
                    "history_lost", [("database", name.text), ("pins", "\(lost.count)")])
            }
            self.books = books
        } catch let error as StorageError {
            DatabaseVFS.unregister(sharedFile)
            throw error
        } catch let error as SQLiteError {
            DatabaseVFS.unregister(sharedFile)
            throw .sqlite(error)
        } catch {
            preconditionFailure("unexpected error type")
        }
    }

    /// Frames, or the base, of the current generation are missing: one begins whose number nobody
    /// has seen, so that clients of older ones are told that the server is not the one they knew.
    private static func jump(
        from number: UInt32, _ files: inout GenerationFiles, _ books: inout DatabaseState,
        name: DatabaseName, logger: Logger
    ) throws(StorageError) -> GenerationFiles.Current {
        logger.warning("generation_lost", [("database", name.text), ("generation", "\(number)")])
        books.beginGeneration(number + UInt32.random(in: 1 << 16...1 << 20))
        let ledger = books.generation!
        let current = GenerationFiles.Current(
            number: ledger.number, base: ledger.base, baseEpoch: ledger.baseEpoch)
        try files.beginAnew(current)
        return current
    }

    private static func scan(_ file: File) throws(StorageError) -> WALScanner? {
        let batch = 64
        var buffer = [UInt8](repeating: 0, count: WALScanner.headerSize)
        var scanner: WALScanner?
        var failure: StorageError?
        unsafe buffer.withUnsafeMutableBytes { bytes in
            do throws(StorageError) {
                let count = try unsafe file.readAvailable(into: bytes, at: 0)
                scanner = unsafe WALScanner(
                    header: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        guard scanner != nil else { return nil }
        buffer = [UInt8](repeating: 0, count: batch * WALScanner.frameSize)
        var offset = Int64(WALScanner.headerSize)
        var goesOn = true
        while goesOn {
            unsafe buffer.withUnsafeMutableBytes { bytes in
                do throws(StorageError) {
                    let count = try unsafe file.readAvailable(into: bytes, at: offset)
                    let frames = count / WALScanner.frameSize
                    goesOn = frames == batch
                    for frame in 0..<frames {
                        let start = frame * WALScanner.frameSize
                        let slice = unsafe UnsafeRawBufferPointer(
                            rebasing: bytes[start..<start + WALScanner.frameSize])
                        if unsafe scanner?.append(frame: slice) != true {
                            goesOn = false
                            break
                        }
                    }
                } catch {
                    failure = error
                    goesOn = false
                }
            }
            offset += Int64(batch * WALScanner.frameSize)
        }
        if let failure { throw failure }
        return scanner
    }

    /// Makes every revision given out so far unknown and starts anew at a number that none had.
    private static func beginLineage(
        _ recovery: Recovery, metaFile: MetaFile, changeFile: ChangeFile, walSalts: Meta.WALSalts?
    ) throws(StorageError) {
        try metaFile.update(for: .metaLineage) { meta in
            let before = CommitNumber(recovery.walBase.rawValue - 1)
            meta.epochs = EpochTable(
                entries: [.init(epoch: RandomIdentifier.epoch(), start: before)])
            meta.walSalts = walSalts
            meta.walBase = recovery.walBase
            meta.recordedCommit = recovery.walBase
            // Until the next checkpoint the main file's stamp says nothing.
            meta.isCheckpointing = true
        }
        try changeFile.rewrite([], upTo: recovery.walBase)
    }

    private static func books(
        meta: Meta, recovery: Recovery, index: ChangeIndex, wal: WALScanner?, mainFileSize: Int64,
        sharedFile: SharedDatabaseFile, path: String
    ) throws(StorageError) -> DatabaseState {
        let found = sharedFile.walIndexHeader()
        let expected = wal?.commits.last
        guard (found?.lastFrame ?? 0) == (expected?.lastFrame ?? 0) else {
            throw .corruptFile(
                path: path + "/main.db-wal", reason: "SQLite recovered other frames than expected")
        }
        var books = DatabaseState(
            databaseID: meta.databaseID, epochs: meta.epochs, base: recovery.walBase,
            databaseSize: UInt32(mainFileSize / Int64(pageSize)), changes: index,
            exactFloor: recovery.exactFloor)
        var previousFrame: UInt32 = 0
        for commit in wal?.commits ?? [] {
            books.append(
                pages: wal!.pages[Int(previousFrame)..<Int(commit.lastFrame)],
                databaseSize: commit.databaseSize,
                alreadyIndexed: books.head < meta.recordedCommit)
            previousFrame = commit.lastFrame
        }
        return books
    }
}
