package import SQLite
package import WireProtocol

/// Runs one SQL request on one connection, on the thread that calls it.
///
/// A request runs on a reader first, where it may: before a statement that may write is stepped, a
/// reader ends with `PipelineRunnerError.needsWriter`, and the caller runs the whole request again on
/// the writer. Until then nothing had an effect and nothing was sent.
package struct PipelineRunner {
    package enum Role {
        /// A connection for reading only.
        case reader
        /// The connection that writes. `prepareToWrite` is called once, before the first statement
        /// of the request that may write is stepped; `checkpoint` outside of transactions.
        case writer(
            prepareToWrite: () throws -> Void,
            checkpoint: (CheckpointMode) throws -> CheckpointResult)
    }

    /// What the database is configured to be.
    package struct Options: Sendable {
        /// Replicas pull this database, so it may hold nothing that they cannot.
        package var isSynced = true
        /// A push with one refused change is rolled back as a whole.
        package var isStrict = false
        package var limits = SQLLimits()

        package init() {}
    }

    /// How a request ended.
    package struct Outcome {
        /// The answer, for status 200, but for its baton; or why there is none.
        package let answer: Result<Answer, PipelineRunnerError>
        /// What the stream keeps; nil if that is nothing, or the stream is closed.
        ///
        /// If its transaction is open, the connection is this stream's until the next `run` with
        /// this state, or `PipelineRunner.end`. In all other cases the connection is outside of a
        /// transaction, and free of this client's settings or dirty.
        package let kept: StreamState?
        /// The connection holds something of this client's: it must be closed, not used again.
        package let isConnectionDirty: Bool
    }

    /// What was written of an answer.
    package enum Answer {
        case pipeline(PipelineResponseWriter)
        case cursor(CursorResponseWriter)

        /// The body.
        package consuming func finish(baton: String? = nil) -> [UInt8] {
            switch consume self {
            case .pipeline(let writer): writer.finish(baton: baton)
            case .cursor(let writer): writer.finish(baton: baton)
            }
        }
    }

    private let connection: Connection
    private let role: Role
    private let options: Options
    private let rejectedChanges: (any RejectedChangeRecorder)?

    /// - Parameter rejectedChanges: nil drops them, which only tests may want.
    package init(
        connection: Connection, role: Role, options: Options,
        rejectedChanges: (any RejectedChangeRecorder)?
    ) {
        self.connection = connection
        self.role = role
        self.options = options
        self.rejectedChanges = rejectedChanges
    }

    /// Carries out every request of the pipeline on a stream that keeps `stream`.
    package func run(_ request: PipelineRequest, in stream: StreamState) -> Outcome {
        let runner = StatementRunner(
            connection: connection, role: role, limits: options.limits,
            isSynced: options.isSynced)
        let foreignKeys = resume(stream, with: runner)
        var pipeline = Pipeline(
            runner: runner, options: options, recorder: rejectedChanges, stored: stream.stored)
        do throws(PipelineRunnerError) {
            let answer = try carryOut(request, with: &pipeline)
            let kept = try whatIsKept(by: pipeline, runner, foreignKeys: foreignKeys)
            runner.end()
            if kept?.isOpen != true { restore(foreignKeys) }
            return Outcome(
                answer: .success(answer), kept: kept,
                isConnectionDirty: runner.isConnectionDirty)
        } catch {
            runner.end()
            leaveTransaction()
            restore(foreignKeys)
            return Outcome(
                answer: .failure(error), kept: nil, isConnectionDirty: runner.isConnectionDirty)
        }
    }

    /// Rolls back the transaction that is open for `stream` on `connection`.
    ///
    /// - Returns: whether the connection is dirty, as `Outcome.isConnectionDirty`.
    package static func end(_ stream: StreamState, on connection: Connection) -> Bool {
        guard case .open(let state) = stream.transaction else {
            preconditionFailure("the stream has no connection")
        }
        if !connection.isAutocommit { try? connection.execute("ROLLBACK") }
        try? connection.setForeignKeysEnabled(state.foreignKeys)
        return state.isDirty
    }

    /// Makes the connection what the stream left it as. Returns what foreign keys go back to.
    private func resume(_ stream: StreamState, with runner: StatementRunner) -> Bool {
        if case .open(let state) = stream.transaction {
            runner.begin(isNewConnection: false, isDirty: state.isDirty)
            return state.foreignKeys
        }
        let foreignKeys = (try? connection.areForeignKeysEnabled()) ?? false
        runner.begin()
        if let wanted = stream.foreignKeys { try? connection.setForeignKeysEnabled(wanted) }
        if case .begun = stream.transaction { runner.beginTransaction() }
        return foreignKeys
    }

    private func carryOut(
        _ request: PipelineRequest, with pipeline: inout Pipeline
    ) throws(PipelineRunnerError) -> Answer {
        do throws(StepFailure) {
            if request.form == .cursor, case .batch(let batch)? = request.requests.first {
                return .cursor(try pipeline.cursor(over: batch))
            }
            for request in request.requests { try pipeline.answer(request) }
            return .pipeline(pipeline.writer)
        } catch {
            switch error {
            case .needsWriter: throw .needsWriter
            case .storage(let cause): throw .storage(cause)
            case .rejected, .broken: preconditionFailure("such failures are answered")
            }
        }
    }

    /// What the stream keeps. Leaves the transaction if that need not stay on this connection.
    ///
    /// One that has read or written stays where it can write, so a reader gives it up
    /// (`needsWriter`): begun on a reader it could not go on to write once anybody else has.
    private func whatIsKept(
        by pipeline: Pipeline, _ runner: StatementRunner, foreignKeys: Bool
    ) throws(PipelineRunnerError) -> StreamState? {
        guard !pipeline.isClosed else { return nil }
        var state = StreamState(limits: options.limits)
        state.stored = pipeline.stored
        let now = (try? connection.areForeignKeysEnabled()) ?? foreignKeys
        state.foreignKeys = now == foreignKeys ? nil : now
        if connection.isAutocommit {
            state.transaction = .none
        } else if runner.hasOnlyBegun {
            leaveTransaction()
            state.transaction = .begun
        } else if case .reader = role {
            throw .needsWriter
        } else {
            state.transaction = .open(
                .init(foreignKeys: foreignKeys, isDirty: runner.isConnectionDirty))
        }
        return state.isWorthKeeping ? state : nil
    }

    private func restore(_ foreignKeys: Bool) {
        try? connection.setForeignKeysEnabled(foreignKeys)
    }

    private func leaveTransaction() {
        guard !connection.isAutocommit else { return }
        try? connection.execute("ROLLBACK")
    }
}
