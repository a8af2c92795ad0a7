package import SQLite
package import Storage
package import WireProtocol

/// Runs SQL pipelines against an open database: on a reader if the request only reads, which is
/// tried where it is not plain to see, else on the writer, behind all writers that came before. What a request leaves open is kept for its
/// stream's next one; a transaction that it leaves open keeps the writer.
package struct PipelineExecution: Sendable {
    package enum Failure: Error {
        case pipeline(PipelineRunnerError)
        case storage(StorageError)
        case stream(StreamFailure)
    }

    package typealias Completion = @Sendable (Result<[UInt8], Failure>) -> Void

    /// One request on its way.
    private struct Work: Sendable {
        let request: PipelineRequest
        let stream: StreamRegistry.Stream
        let lease: DatabaseLease
        let completion: Completion
    }

    private let options: PipelineRunner.Options
    private let streams: StreamRegistry

    package init(options: PipelineRunner.Options, streams: StreamRegistry) {
        self.options = options
        self.streams = streams
    }

    /// Calls `completion` once, on any thread, with the body of the answer: after every commit in
    /// it, and every commit it could have seen, is durable.
    package func run(
        _ request: PipelineRequest, lease: DatabaseLease, completion: @escaping Completion
    ) {
        let stream: StreamRegistry.Stream
        do throws(StreamFailure) {
            stream = try streams.stream(for: request.baton, lease: lease, limits: options.limits)
        } catch {
            return completion(.failure(.stream(error)))
        }
        let work = Work(request: request, stream: stream, lease: lease, completion: completion)
        if let hold = stream.hold {
            resume(hold, work)
        } else if request.plainlyWrites {
            runOnWriter(work)
        } else {
            runOnReader(work)
        }
    }

    private func runOnReader(_ work: Work) {
        work.lease.database.read(
            { connection in
                let outcome = PipelineRunner(
                    connection: connection, role: .reader, options: options(for: work.lease),
                    rejectedChanges: nil
                ).run(work.request, in: work.stream.state)
                if outcome.isConnectionDirty { connection.close() }
                if case .failure(.needsWriter) = outcome.answer {
                    runOnWriter(work)
                    return nil
                }
                return finish(work, outcome, session: nil)
            }, refused: { work.completion(refuse(work, $0)) },
            completion: { Self.complete(work, $0) })
    }

    private func runOnWriter(_ work: Work) {
        work.lease.database.write(
            { run(work, $0) }, refused: { work.completion(refuse(work, $0)) },
            completion: { Self.complete(work, $0) })
    }

    /// Goes on with the transaction that has the writer.
    private func resume(_ hold: WriterHold, _ work: Work) {
        work.lease.database.resume(
            hold, { run(work, $0) },
            refused: { _ in
                streams.end(work.stream, .databaseClosed)
                work.completion(.failure(.stream(.expired(.databaseClosed))))
            }, completion: { Self.complete(work, $0) })
    }

    /// - Parameter result: fails if what the request did, or saw, was lost before it was durable. Then
    ///   its stream goes as it would without an answer: nobody has its baton.
    private static func complete(
        _ work: Work, _ result: Result<Result<[UInt8], Failure>, StorageError>
    ) {
        work.completion(result.mapError { .storage($0) }.flatMap { $0 })
    }

    private func run(_ work: Work, _ session: WriterSession) -> Result<[UInt8], Failure> {
        do throws(StorageError) {
            // Also for a request that turns out to write nothing: no commit may find
            // its epoch missing.
            try session.prepareToWrite()
        } catch {
            streams.rollBack(work.stream.state, session)
            return refuse(work, error)
        }
        let outcome = PipelineRunner(
            connection: session.connection,
            role: .writer(
                prepareToWrite: { try session.prepareToWrite() },
                checkpoint: { try session.checkpoint($0) }),
            options: options(for: work.lease), rejectedChanges: SessionRejectedChanges(session)
        ).run(work.request, in: work.stream.state)
        if outcome.isConnectionDirty, outcome.kept?.isOpen != true {
            do throws(StorageError) { try session.replaceConnection() } catch {
                return refuse(work, error)
            }
        }
        return finish(work, outcome, session: session)
    }

    /// - Parameter session: of the job on the writer that runs now.
    private func finish(
        _ work: Work, _ outcome: PipelineRunner.Outcome, session: WriterSession?
    ) -> Result<[UInt8], Failure> {
        let answer: PipelineRunner.Answer
        switch outcome.answer {
        case .success(let written): answer = written
        case .failure(.storage(let cause as StorageError)): return refuse(work, cause)
        case .failure(let error):
            streams.end(work.stream)
            return .failure(.pipeline(error))
        }
        guard let kept = outcome.kept else {
            streams.end(work.stream)
            return .success(answer.finish())
        }
        do throws(Failure) {
            let baton = try streams.keep(
                kept, of: work.stream, session: session, lease: work.lease)
            return .success(answer.finish(baton: baton))
        } catch {
            return .failure(error)
        }
    }

    /// The request had no effect. Its stream is there for another try, unless it had a transaction.
    private func refuse(_ work: Work, _ error: StorageError) -> Result<[UInt8], Failure> {
        if work.stream.hold == nil, case .queueFull = error {
            streams.giveBack(work.stream)
        } else {
            streams.end(work.stream)
        }
        return .failure(.storage(error))
    }

    private func options(for lease: DatabaseLease) -> PipelineRunner.Options {
        var options = options
        let settings = lease.database.settings
        options.isSynced = !settings.contains(.notSynced)
        options.isStrict = settings.contains(.strictPush)
        return options
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
