package import Logging
package import Primitives
package import Storage
internal import Synchronization

/// Owns the streams that go on over several requests: hands them to requests, takes them back, and
/// ends those whose time is over. Safe from any thread.
///
/// A stream with an open transaction has the database's writer, without a thread, and keeps the
/// database open. The rules are `StreamTable`'s.
package final class StreamRegistry: Sendable {
    /// What the request that has the stream works with.
    struct Stream: Sendable {
        /// Nil for a request that begins one.
        let id: StreamID?
        let baton: String?
        let state: StreamState
        /// There if and only if the transaction of `state` is open.
        let hold: WriterHold?
    }

    private struct Content: Sendable {
        let state: StreamState
        let held: Held?
    }

    /// The database stays open with its lease, until the transaction has ended.
    private struct Held: Sendable {
        let hold: WriterHold
        let lease: DatabaseLease
    }

    private struct State {
        var table: StreamTable<Content>
        var isStopping = false
        /// When the timer that is set goes off next.
        var timer: ContinuousClock.Instant?

        /// How long the owner has to wait before it looks for streams that are over; nil if there
        /// are none to wait for, or a timer goes off before.
        mutating func timerDelay(now: ContinuousClock.Instant) -> Duration? {
            guard let deadline = table.nextDeadline else { return nil }
            if let timer, timer <= deadline { return nil }
            timer = deadline
            return max(.zero, deadline - now)
        }
    }

    private let clock: MonotonicClock
    private let logger: Logger
    private let state: Mutex<State>

    package init(limits: StreamLimits, clock: MonotonicClock = .system, logger: Logger) {
        self.clock = clock
        self.logger = logger
        state = Mutex(State(table: StreamTable(limits: limits)))
    }

    /// Streams of one database.
    package func count(of database: DatabaseID) -> Int {
        state.withLock { $0.table.count(of: database) }
    }

    /// Ends every stream, rolls back their transactions, and refuses new ones.
    package func stop() {
        let contents = state.withLock { state in
            state.isStopping = true
            return state.table.endAll(.stopping)
        }
        for content in contents { end(content, .stopping) }
    }

    // MARK: requests

    /// The stream that `baton` stands for, or a new one without a baton. It is the request's until
    /// `keep`, `giveBack` or `end`.
    func stream(
        for baton: String?, lease: DatabaseLease, limits: SQLLimits
    ) throws(StreamFailure) -> Stream {
        guard let baton else {
            return Stream(id: nil, baton: nil, state: StreamState(limits: limits), hold: nil)
        }
        let taken = state.withLock {
            $0.table.take(baton, of: lease.database.databaseID, now: clock.now())
        }
        switch taken {
        case .stream(let id, let content):
            return Stream(id: id, baton: baton, state: content.state, hold: content.held?.hold)
        case .busy: throw .busy
        case .ended(let reason, let content):
            if let content, let reason { end(content, reason) }
            throw .expired(reason)
        }
    }

    /// Keeps what a request left open, and returns the next baton. Without that, an open transaction
    /// is rolled back.
    ///
    /// - Parameter session: of the job that runs now, if the transaction of `kept` is open.
    func keep(
        _ kept: StreamState, of stream: Stream, session: WriterSession?, lease: DatabaseLease
    ) throws(PipelineExecution.Failure) -> String {
        let id: StreamID
        var held: Held?
        do throws(PipelineExecution.Failure) {
            id = try reserve(stream, lease: lease)
            if kept.isOpen, let session { held = try hold(session, for: id, lease: lease) }
        } catch {
            if let session { rollBack(kept, session) }
            throw error
        }
        let content = Content(state: kept, held: held)
        let baton = RandomIdentifier.baton()
        guard store(content, in: id, under: baton) else {
            let reason = state.withLock { $0.isStopping } ? StreamEnd.stopping : .databaseClosed
            end(content, reason)
            throw .stream(.expired(reason))
        }
        return baton
    }

    /// Puts a stream back as it was, for its client to try again with the same baton.
    func giveBack(_ stream: Stream) {
        guard let id = stream.id, let baton = stream.baton else { return }
        precondition(stream.hold == nil, "a request with the writer has run")
        let content = Content(state: stream.state, held: nil)
        _ = store(content, in: id, under: baton)
    }

    /// The stream has nothing more to keep.
    func end(_ stream: Stream, _ reason: StreamEnd = .used) {
        guard let id = stream.id else { return }
        let content = state.withLock { $0.table.end(id, reason) }
        precondition(content == nil, "the stream was the request's")
    }

    // MARK: -

    private func reserve(
        _ stream: Stream, lease: DatabaseLease
    ) throws(PipelineExecution.Failure) -> StreamID {
        let result = state.withLock { state -> Result<StreamID, PipelineExecution.Failure> in
            guard !state.isStopping else { return .failure(.storage(.closed)) }
            if let id = stream.id {
                guard state.table.isTransactionOver(id, now: clock.now()) else {
                    return .success(id)
                }
                let reason = StreamEnd.transactionTooLong(state.table.limits.transactionTime)
                state.table.end(id, reason)
                return .failure(.stream(.expired(reason)))
            }
            guard let id = state.table.open(lease.database.databaseID) else {
                return .failure(.stream(.tooMany))
            }
            return .success(id)
        }
        return try result.get()
    }

    private func hold(
        _ session: WriterSession, for id: StreamID, lease: DatabaseLease
    ) throws(PipelineExecution.Failure) -> Held {
        do throws(StorageError) {
            let hold = try session.hold { [weak self] in self?.databaseClosed(id) }
            return Held(hold: hold, lease: lease)
        } catch {
            state.withLock { _ = $0.table.end(id, .databaseClosed) }
            throw .storage(error)
        }
    }

    /// False if the stream was ended meanwhile.
    private func store(_ content: Content, in id: StreamID, under baton: String) -> Bool {
        let (isStored, delay) = state.withLock { state -> (Bool, Duration?) in
            let now = clock.now()
            let isStored = state.table.store(
                content, in: id, under: baton, holdsTransaction: content.held != nil, now: now)
            return (isStored, state.timerDelay(now: now))
        }
        setTimer(delay)
        return isStored
    }

    private func setTimer(_ delay: Duration?) {
        guard let delay else { return }
        clock.after(delay) { [weak self] in self?.expire() }
    }

    private func expire() {
        let (over, delay) = state.withLock { state in
            let now = clock.now()
            if let timer = state.timer, timer <= now { state.timer = nil }
            let over = state.table.expire(now: now)
            return (over, state.timerDelay(now: now))
        }
        for (content, reason) in over { end(content, reason) }
        setTimer(delay)
    }

    private func databaseClosed(_ id: StreamID) {
        // Its transaction is rolled back already. The last lease goes outside of the lock.
        let content = state.withLock { $0.table.end(id, .databaseClosed) }
        if let content { log(content, .databaseClosed) }
    }

    /// Cleans up behind a stream that the table has let go of.
    private func end(_ content: Content, _ reason: StreamEnd) {
        log(content, reason)
        guard let held = content.held else { return }
        held.lease.database.resume(
            held.hold,
            { session in
                self.rollBack(content.state, session)
                // The database may close only when its writer is free.
                withExtendedLifetime(held.lease) {}
            }, refused: { _ in }, completion: { _ in })
    }

    /// Leaves the transaction that is open for a stream. On the writer lane.
    func rollBack(_ state: StreamState, _ session: WriterSession) {
        guard state.isOpen else { return }
        // Where no other connection can be had, the old one is in no transaction at least.
        if PipelineRunner.end(state, on: session.connection) { try? session.replaceConnection() }
    }

    private func log(_ content: Content, _ reason: StreamEnd) {
        guard let held = content.held else { return }
        logger.debug(
            "stream_ended", [("database", held.lease.name.text), ("reason", "\(reason)")])
    }
}
