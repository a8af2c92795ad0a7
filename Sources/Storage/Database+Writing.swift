internal import Logging
internal import Primitives
package import SQLite

/// What a job on the writer lane works with; valid until the job returns.
package struct WriterSession {
    let database: Database

    package var connection: Connection { database.writer }

    /// Call before the first statement that may write: from then on commits belong to this
    /// process, and that is recorded first, so that no other copy of the folder can give the same
    /// name to other content.
    package func prepareToWrite() throws(StorageError) { try database.beginEpochIfNeeded() }

    /// Copies the WAL's frames to the main file, in the order that keeps crashes harmless. Readers
    /// in the way are an answer, not an error; those modes that need them gone wait for them for
    /// `StorageOptions.checkpointWait`.
    ///
    /// - Throws: `.sqlite` with `SQLITE_LOCKED` inside of a transaction.
    package func checkpoint(_ mode: CheckpointMode) throws(StorageError) -> CheckpointResult {
        guard connection.isAutocommit else { throw .sqlite(.locked) }
        return try database.checkpoint(mode)
    }

    /// Replaces the connection by a fresh one: a client left settings or temporary tables in it.
    package func replaceConnection() throws(StorageError) { try database.reopenWriter() }
}

extension Database {
    /// Runs `job` as the database's only writer, after all writers that came before.
    ///
    /// The job leaves no transaction open, unless it holds the writer for it (`WriterSession.hold`).
    /// It is not called if the database closes first: then `refused` is.
    package func write(
        _ job: @escaping @Sendable (WriterSession) -> Void,
        refused: @escaping @Sendable (StorageError) -> Void
    ) {
        let isAccepted = writerLane.submit { [self] in
            if let error = state.withLock({ $0.closing }) {
                refused(error)
                return
            }
            perform(job)
        }
        if !isAccepted { refused(.queueFull(name)) }
    }

    /// On the writer lane.
    func perform(_ job: (WriterSession) -> Void) {
        isWriterHeld = false
        job(WriterSession(database: self))
        guard !isWriterHeld else { return }
        precondition(writer.isAutocommit, "a job left its transaction open")
        if !sharedFile.hasFailed { checkpointIfDue() }
        if sharedFile.hasFailed { failed() }
    }

    /// Runs `job` with a connection that can only read.
    ///
    /// - Parameter isFresh: the connection has read nothing yet, and is closed behind the job.
    package func read(
        isFresh: Bool = false, _ job: @escaping @Sendable (Connection) -> Void,
        refused: @escaping @Sendable (StorageError) -> Void
    ) {
        let isAccepted = readerLane.submit { [self] in
            do throws(StorageError) {
                let connection = try takeReader(isFresh: isFresh)
                let age = ReaderAge(self)
                connection.setStopCheck(age.stopCheck)
                job(connection)
                connection.setStopCheck(nil)
                if isFresh { connection.close() }
                giveBack(connection)
                readerEnded()
                if age.wasTooOld { retryCheckpoint() }
            } catch {
                refused(error)
            }
        }
        if !isAccepted { refused(.queueFull(name)) }
    }

    private func takeReader(isFresh: Bool) throws(StorageError) -> Connection {
        let taken = state.withLock { state -> Result<Connection?, StorageError> in
            if let closing = state.closing { return .failure(closing) }
            state.busyReaderCount += 1
            return .success(isFresh ? nil : state.idleReaders.popLast())
        }
        if let idle = try taken.get() { return idle }
        do { return try WriterConnection.openReader(path: path + "/main.db") } catch {
            readerEnded()
            throw .sqlite(error)
        }
    }

    private func readerEnded() {
        let finish = state.withLock { state -> (@Sendable () -> Void)? in
            state.busyReaderCount -= 1
            guard state.busyReaderCount == 0 else { return nil }
            defer { state.whenReadersEnd = nil }
            return state.whenReadersEnd
        }
        finish?()
    }

    private func giveBack(_ connection: Connection) {
        guard connection.isOpen else { return }
        precondition(connection.isAutocommit, "a job left its transaction open")
        let isKept = state.withLock { state -> Bool in
            guard state.closing == nil else { return false }
            state.idleReaders.append(connection)
            return true
        }
        if !isKept { connection.close() }
    }

    /// Opens the new connection first, so that the wal-index outlives the old one.
    func reopenWriter() throws(StorageError) {
        let old = writer
        do { writer = try WriterConnection.open(path: path + "/main.db") } catch {
            throw .sqlite(error)
        }
        old.close()
    }

    func beginEpochIfNeeded() throws(StorageError) {
        guard metaFile.meta.epochs.entries.last?.epoch != epoch else { return }
        let head = state.withLock { $0.books.head }
        try metaFile.update(for: .metaEpoch) { $0.epochs.begin(epoch, after: head) }
        state.withLock { $0.books.begin(epoch) }
    }

    /// SQLite has committed and flushed a transaction: it becomes visible to pulls.
    func committed(_ commit: WALRecorder.Commit) {
        precondition(
            metaFile.meta.epochs.entries.last?.epoch == epoch, "a commit without its epoch")
        let waiters = state.withLock { state -> [Waiter] in
            if let salts = commit.newSalts {
                walSalts = salts
                walBase = state.books.head
                state.books.walStartedOver()
            }
            state.books.append(pages: commit.pages, databaseSize: commit.databaseSize)
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        // Answering them is not the writer's work.
        if !waiters.isEmpty { workers.submit { for waiter in waiters { waiter.wake() } } }
    }

    /// A write or flush failed. Nothing that follows the last good commit may be trusted, not
    /// even if it can be read: the tail of the WAL is cut off and the database closed. The next
    /// request opens it again, with all the checks of a start.
    func failed() {
        logger.error("database_failed", [("database", name.text)])
        beginClosing(.databaseFailed(name))
        do throws(StorageError) { try cutOffWALTail() } catch {
            state.withLock { $0.mustStayClosed = true }
            logger.error("wal_truncation_failed", [("database", name.text), ("error", "\(error)")])
        }
        // If that fails, too, the lineage breaks at worst.
        try? recordSpentWAL()
    }

    /// A checkpoint came to its end, and recording that failed; then SQLite may have begun to start
    /// the WAL over, and left a header that is torn.
    private func recordSpentWAL() throws(StorageError) {
        guard state.withLock({ $0.books.walFrameCount }) == 0 else { return }
        try metaFile.update(for: .metaCheckpointEnds) { $0.isWALSpent = true }
    }

    private func cutOffWALTail() throws(StorageError) {
        // All frames of a WAL that starts over are in the main file.
        let lastFrame = recorder.hasOnlyNewHeader ? 0 : state.withLock { $0.books.lastFrame }
        let end = WALScanner.pageOffset(frame: lastFrame + 1) - Int64(WALScanner.frameHeaderSize)
        guard try walFile.size() > end else { return }
        try walFile.truncate(to: end, for: .failedCommit)
        if lastFrame == 0 {
            // Written again, because its flush may be what failed. And SQLite takes a file that
            // is no longer than a header for none, and would draw salts that do not follow.
            var header = [UInt8](repeating: 0, count: WALScanner.headerSize)
            let size = header.count
            try walFile.readBytes(into: &header, at: 0)
            try walFile.write(header, at: 0, for: .failedCommit)
            try walFile.truncate(
                to: Int64(size + WALScanner.frameSize), for: .failedCommit)
        }
        try walFile.synchronize(for: .failedCommit)
    }

    /// Changes the options an operator sets for this database; durable when `completion` is
    /// called.
    ///
    /// - Parameter change: changes them, or says why it will not; no writer comes in between.
    package func changeSettings(
        _ change:
            @escaping @Sendable (inout Meta.Settings, Connection) throws(SQLiteError) -> [String],
        completion: @escaping @Sendable (Result<SettingsOutcome, StorageError>) -> Void
    ) {
        write(
            { [self] session in completion(applySettings(change, session)) },
            refused: { completion(.failure($0)) })
    }

    private func applySettings(
        _ change: (inout Meta.Settings, Connection) throws(SQLiteError) -> [String],
        _ session: WriterSession
    ) -> Result<SettingsOutcome, StorageError> {
        var settings = metaFile.meta.settings
        do throws(SQLiteError) {
            let objections = try change(&settings, session.connection)
            guard objections.isEmpty else { return .success(.refused(objections)) }
        } catch {
            return .failure(.sqlite(error))
        }
        do throws(StorageError) {
            try metaFile.update(for: .metaSettings) { $0.settings = settings }
        } catch {
            return .failure(error)
        }
        settingsCache.store(settings.rawValue, ordering: .releasing)
        return .success(.changed(settings))
    }
}

/// What became of a change of a database's options.
package enum SettingsOutcome: Sendable {
    case changed(Meta.Settings)
    case refused([String])
}
