package import SQLite
package import WireProtocol

/// Runs one stateless SQL request on one connection, on the thread that calls it.
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
        /// The body of the answer, for status 200; or why there is none.
        package let body: Result<[UInt8], PipelineRunnerError>
        /// The connection holds something of this client's: it must be closed, not used again.
        package let isConnectionDirty: Bool
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

    /// Carries out every request of the pipeline. However it ends, the connection is outside of a
    /// transaction and free of this client's settings, or `isConnectionDirty`.
    package func run(_ request: PipelineRequest) -> Outcome {
        guard request.baton == nil else {
            return Outcome(body: .failure(.batonUnknown), isConnectionDirty: false)
        }
        let runner = StatementRunner(
            connection: connection, role: role, limits: options.limits,
            isSynced: options.isSynced)
        let foreignKeys = (try? connection.areForeignKeysEnabled()) ?? false
        runner.begin()
        defer {
            runner.end()
            leaveTransaction()
            try? connection.setForeignKeysEnabled(foreignKeys)
        }
        let body: Result<[UInt8], PipelineRunnerError>
        do {
            body = .success(try answer(request, with: runner))
        } catch {
            body = .failure(error)
        }
        return Outcome(body: body, isConnectionDirty: runner.isConnectionDirty)
    }

    private func answer(
        _ request: PipelineRequest, with runner: StatementRunner
    ) throws(PipelineRunnerError) -> [UInt8] {
        var pipeline = Pipeline(runner: runner, options: options, recorder: rejectedChanges)
        for request in request.requests {
            do {
                try pipeline.answer(request)
            } catch {
                switch error {
                case .needsWriter: throw .needsWriter
                case .storage(let cause): throw .storage(cause)
                case .rejected, .broken: preconditionFailure("such failures are answered")
                }
            }
        }
        guard connection.isAutocommit else { throw .streamsUnsupported }
        return pipeline.finish()
    }

    private func leaveTransaction() {
        guard !connection.isAutocommit else { return }
        try? connection.execute("ROLLBACK")
    }
}
