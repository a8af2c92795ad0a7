internal import Logging
internal import SQLite
package import Storage
package import WireProtocol

/// Runs SQL pipelines against an open database: on a reader if the request only reads, else on
/// the writer, behind all writers that came before.
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
        if request.beginsWithWrite {
            runOnWriter(request, lease: lease, completion: completion)
            return
        }
        lease.database.read(
            { connection in
                let runner = PipelineRunner(
                    connection: connection, role: .reader, options: options(for: lease),
                    rejectedChanges: nil)
                do {
                    let answer = try runner.run(request)
                    if answer.isConnectionDirty { connection.close() }
                    completion(.success(answer.body))
                } catch PipelineRunnerError.needsWriter {
                    runOnWriter(request, lease: lease, completion: completion)
                } catch {
                    completion(.failure(Self.failure(error)))
                }
            }, refused: { completion(.failure(.storage($0))) })
    }

    private func runOnWriter(
        _ request: PipelineRequest, lease: DatabaseLease, completion: @escaping Completion
    ) {
        lease.database.write(
            { session in
                let runner = PipelineRunner(
                    connection: session.connection,
                    role: .writer(prepareToWrite: { try session.prepareToWrite() }),
                    options: options(for: lease),
                    rejectedChanges: SessionRejectedChanges(session))
                do {
                    let answer = try runner.run(request)
                    if answer.isConnectionDirty { try session.replaceConnection() }
                    completion(.success(answer.body))
                } catch {
                    completion(.failure(Self.failure(error)))
                }
            }, refused: { completion(.failure(.storage($0))) })
    }

    private func options(for lease: DatabaseLease) -> PipelineRunner.Options {
        var options = options
        let settings = lease.database.settings
        options.isSynced = !settings.contains(.notSynced)
        options.isStrict = settings.contains(.strictPush)
        return options
    }

    private static func failure(_ error: any Error) -> Failure {
        switch error {
        case PipelineRunnerError.storage(let cause as StorageError): .storage(cause)
        case let error as PipelineRunnerError: .pipeline(error)
        case let error as StorageError: .storage(error)
        case let error as SQLiteError: .storage(.sqlite(error))
        default: preconditionFailure("a pipeline failed in an unknown way")
        }
    }
}

extension PipelineRequest {
    /// Pushes begin so: they need not be tried on a reader first.
    fileprivate var beginsWithWrite: Bool {
        guard case .batch(let batch)? = requests.first,
            let sql = batch.steps.first?.statement.text.sql
        else { return false }
        return sql == "BEGIN IMMEDIATE"
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
