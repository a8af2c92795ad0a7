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

    /// Makes everything durable that was committed so far. For decisions that what is shown must
    /// bear out; a job that has only committed need not wait for it.
    package func flush() throws(StorageError) { try database.flushPending() }

    /// The newest commit, which may not be durable yet: for what becomes of this session's own
    /// transaction only, never to be shown.
    var tip: CommitNumber { database.state.withLock { $0.commits.tip } }
}

extension Database {
    /// Runs `job` as the database's only writer, after all writers that came before, and calls
    /// `completion` once, with what it returns or throws, when everything is durable that the job
    /// has committed or could have seen. If that fails, or the database closes first, it gets the
    /// reason instead.
    ///
    /// The job leaves no transaction open, unless it holds the writer for it (`WriterSession.hold`),
    /// and tells nobody what it saw but by what it returns.
    ///
    /// - Parameter refused: called instead of `completion` if the job does not run.
    package func write<Value: Sendable>(
        _ job: @escaping @Sendable (WriterSession) throws(StorageError) -> Value,
        refused: (@Sendable (StorageError) -> Void)? = nil,
        completion: @escaping @Sendable (Result<Value, StorageError>) -> Void
    ) {
        let refuse = refused ?? { completion(.failure($0)) }
        let isAccepted = writerLane.submit { [self] in
            if let error = state.withLock({ $0.closing }) {
                refuse(error)
                return
            }
            perform(job, completion: completion)
        }
        if !isAccepted { refuse(.queueFull(name)) }
    }

    /// On the writer lane.
    func perform<Value: Sendable>(
        _ job: (WriterSession) throws(StorageError) -> Value,
        completion: @escaping @Sendable (Result<Value, StorageError>) -> Void
    ) {
        isWriterHeld = false
        // A job that came while the one before ended knows nothing of the answers that it left.
        requestFlushForAnswers()
        let result = Result { () throws(StorageError) in try job(WriterSession(database: self)) }
        whenDurable { error in completion(error.map { .failure($0) } ?? result) }
        if !isWriterHeld {
            precondition(writer.isAutocommit, "a job left its transaction open")
            if !sharedFile.hasFailed { checkpointIfDue() }
            settleFailure()
        }
        requestFlush()
    }

    /// Runs `job` with a connection that can only read, and calls `completion` once, with what it
    /// returns, when everything is durable that the job could have seen.
    ///
    /// - Parameters:
    ///   - isFresh: the connection has read nothing yet, and is closed behind the job.
    ///   - job: nil if somebody else calls the completion, who was told nothing of the content.
    ///   - refused: called instead of `completion` if the job does not run.
    package func read<Value: Sendable>(
        isFresh: Bool = false, _ job: @escaping @Sendable (Connection) -> Value?,
        refused: (@Sendable (StorageError) -> Void)? = nil,
        completion: @escaping @Sendable (Result<Value, StorageError>) -> Void
    ) {
        let refuse = refused ?? { completion(.failure($0)) }
        let isAccepted = readerLane.submit { [self] in
            do throws(StorageError) {
                let connection = try takeReader(isFresh: isFresh)
                let age = ReaderAge(self)
                connection.setStopCheck(age.stopCheck)
                let value = job(connection)
                connection.setStopCheck(nil)
                if isFresh { connection.close() }
                giveBack(connection)
                if let value {
                    whenDurable { error in completion(error.map { .failure($0) } ?? .success(value))
                    }
                    requestFlushForAnswers()
                }
                readerEnded()
                if age.wasTooOld { retryCheckpoint() }
            } catch {
                refuse(error)
            }
        }
        if !isAccepted { refuse(.queueFull(name)) }
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
        // What a connection finds that has to recover the WAL must be durable.
        try flushPending()
        let old = writer
        do { writer = try WriterConnection.open(path: path + "/main.db") } catch {
            throw .sqlite(error)
        }
        old.close()
    }

    func beginEpochIfNeeded() throws(StorageError) {
        guard metaFile.meta.epochs.entries.last?.epoch != epoch else { return }
        // Without its epoch nothing was committed, so the head is the tip.
        let head = state.withLock { $0.books.head }
        try metaFile.update(for: .metaEpoch) { $0.epochs.begin(epoch, after: head) }
        state.withLock { $0.books.begin(epoch) }
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
            { [self] session throws(StorageError) in try applySettings(change, session) },
            completion: completion)
    }

    private func applySettings(
        _ change: (inout Meta.Settings, Connection) throws(SQLiteError) -> [String],
        _ session: WriterSession
    ) throws(StorageError) -> SettingsOutcome {
        // They are durable at once, so what they were judged by has to be.
        try flushPending()
        var settings = metaFile.meta.settings
        do throws(SQLiteError) {
            let objections = try change(&settings, session.connection)
            guard objections.isEmpty else { return .refused(objections) }
        } catch {
            throw .sqlite(error)
        }
        try metaFile.update(for: .metaSettings) { $0.settings = settings }
        settingsCache.store(settings.rawValue, ordering: .releasing)
        return .changed(settings)
    }
}

/// What became of a change of a database's options.
package enum SettingsOutcome: Sendable {
    case changed(Meta.Settings)
    case refused([String])
}
