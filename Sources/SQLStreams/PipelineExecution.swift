package import SQLite
package import Storage
package import WireProtocol

/// Runs SQL pipelines against an open database: on a reader if the request only reads, which is
/// tried where it is not plain to see, else on the writer, behind all writers that came before.
package struct PipelineExecution: Sendable {
    package enum Failure: Error {
        case pipeline(PipelineRunnerError)
        case storage(StorageError)
    }

    package typealias Completion = @Sendable (Result<[UInt8], Failure>) -> Void

    private let options: PipelineRunner.Options

    package init(options: PipelineRunner.Options) { self.options = options }

    /// Calls `completion` once, on any thread, with the body of the answer: after every commit in
    /// it, and every commit it could have seen, is durable.
    package func run(
        _ request: PipelineRequest, lease: DatabaseLease, completion: @escaping Completion
    ) {
        if request.plainlyWrites {
            runOnWriter(request, lease: lease, completion: completion)
            return
        }
        lease.database.read(
            { connection in
                let outcome = PipelineRunner(
                    connection: connection, role: .reader, options: options(for: lease),
                    rejectedChanges: nil
                ).run(request)
                if outcome.isConnectionDirty { connection.close() }
                if case .failure(.needsWriter) = outcome.body {
                    runOnWriter(request, lease: lease, completion: completion)
                    return nil
                }
                return outcome.body
            }, completion: { completion(Self.answer($0)) })
    }

    private func runOnWriter(
        _ request: PipelineRequest, lease: DatabaseLease, completion: @escaping Completion
    ) {
        lease.database.write(
            { session throws(StorageError) in
                // Also for a request that turns out to write nothing: no commit may find
                // its epoch missing.
                try session.prepareToWrite()
                let outcome = PipelineRunner(
                    connection: session.connection,
                    role: .writer(
                        prepareToWrite: { try session.prepareToWrite() },
                        checkpoint: { try session.checkpoint($0) }),
                    options: options(for: lease),
                    rejectedChanges: SessionRejectedChanges(session)
                ).run(request)
                if outcome.isConnectionDirty { try session.replaceConnection() }
                return outcome.body
            }, completion: { completion(Self.answer($0)) })
    }

    private func options(for lease: DatabaseLease) -> PipelineRunner.Options {
        var options = options
        let settings = lease.database.settings
        options.isSynced = !settings.contains(.notSynced)
        options.isStrict = settings.contains(.strictPush)
        return options
    }

    private static func answer(
        _ result: Result<Result<[UInt8], PipelineRunnerError>, StorageError>
    ) -> Result<[UInt8], Failure> {
        switch result {
        case .failure(let error): .failure(.storage(error))
        case .success(.failure(.storage(let cause as StorageError))): .failure(.storage(cause))
        case .success(.failure(let error)): .failure(.pipeline(error))
        case .success(.success(let body)): .success(body)
        }
    }
}

extension ReplicaCompatibility {
    /// `check` in the shape that an import takes.
    package static func findings(
        _ connection: Connection
    ) throws(SQLiteError) -> DatabaseImport.Findings {
        let all = try check(connection)
        return (
            all.filter { $0.severity == .fatal }.map(\.description),
            all.filter { $0.severity == .warning }.map(\.description)
        )
    }
}
