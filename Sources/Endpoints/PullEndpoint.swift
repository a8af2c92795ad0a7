internal import Codecs
internal import Execution
package import HTTP
internal import Logging
internal import Primitives
package import Replication
internal import SQLStreams
internal import Storage
internal import Synchronization
internal import WireProtocol

/// `POST /pull-updates`: docs/protocol.md, "Pull".
struct PullEndpoint: Sendable {
    /// What a client asks, and how it wants to be answered.
    private struct Request: Sendable {
        let message: PullRequest
        let coding: ContentCoding?
    }

    let answering: PullAnswering
    let queryTrace: QueryTrace
    let workers: WorkerPool
    let logger: Logger

    init(configuration: EndpointConfiguration, workers: WorkerPool, logger: Logger) {
        self.workers = workers
        answering = PullAnswering(
            longPollLimit: configuration.longPollLimit,
            compressionLevel: configuration.compressionLevel)
        var limits = QueryTrace.Limits()
        limits.time = configuration.bootstrapQueryTimeout
        limits.pageCount = configuration.bootstrapQueryMaximumPages
        queryTrace = QueryTrace(limits: limits)
        self.logger = logger
    }

    /// - Parameter coding: what the client wants its answer to be compressed with.
    func handle(
        _ body: [UInt8], coding: ContentCoding?, lease: DatabaseLease,
        responder: any HTTPResponder
    ) {
        do throws(PullRequestError) {
            let request = Request(message: try PullRequest(decoding: body), coding: coding)
            // A database that is not synced is refused below, whatever the query.
            if let query = request.message.tracedQuery,
                !lease.database.settings.contains(.notSynced)
            {
                trace(query, of: request, lease: lease, responder: responder)
            } else {
                respond(to: request, lease: lease, responder: responder, mayWait: true)
            }
        } catch {
            responder.respond(error.httpFailure.response)
        }
    }

    /// Runs the query on a worker, then answers with the pages that it touched.
    private func trace(
        _ query: String, of request: Request, lease: DatabaseLease,
        responder: any HTTPResponder
    ) {
        logger.debug("bootstrap_query", [("database", lease.name.text)])
        let client = ClientPresence()
        let stop = queryTrace.run(query, database: lease.database) { result in
            switch result {
            case .success(let outcome):
                log(outcome, lease)
                // Nobody would come back for the history that a new replica has kept.
                guard !client.isGone else {
                    return responder.respond(StorageError.closed.httpFailure.response)
                }
                respond(
                    to: request, lease: lease, traced: outcome.pages, responder: responder,
                    mayWait: false)
            case .failure(let failure): fail(failure, lease: lease, responder: responder)
            }
        }
        responder.onClientGone {
            client.leave()
            stop()
        }
        responder.onShutdown(stop)
    }

    private func log(_ outcome: QueryTrace.Outcome, _ lease: DatabaseLease) {
        guard let cut = outcome.cut else { return }
        logger.info(
            "bootstrap_query_cut",
            [
                ("database", lease.name.text), ("limit", cut.rawValue),
                ("pages", "\(outcome.pages.count)"),
            ])
    }

    private func fail(
        _ failure: QueryTrace.Failure, lease: DatabaseLease, responder: any HTTPResponder
    ) {
        let answer = failure.httpFailure
        if answer.status == 500 {
            logger.error(
                "bootstrap_query_failed",
                [("database", lease.name.text), ("error", "\(failure)")])
        }
        responder.respond(answer.response)
    }

    /// On the caller's thread, an event loop perhaps, or on a worker if the disk may be waited for.
    private func respond(
        to request: Request, lease: DatabaseLease, traced: [PageNumber]? = nil,
        responder: any HTTPResponder, mayWait: Bool
    ) {
        guard request.message.needsWorker else {
            return answer(request, lease: lease, responder: responder, mayWait: mayWait)
        }
        workers.submit {
            answer(
                request, lease: lease, traced: traced, responder: responder, mayWait: mayWait,
                isOnWorker: true)
        }
    }

    private func answer(
        _ request: Request, lease: DatabaseLease, traced: [PageNumber]? = nil,
        responder: any HTTPResponder, mayWait: Bool, isOnWorker: Bool = false
    ) {
        do throws(PullFailure) {
            switch try answering.answer(
                request.message, lease: lease, traced: traced, coding: request.coding,
                mayWait: mayWait, mayRead: isOnWorker)
            {
            case .whole(let body, let coding):
                responder.respond(Self.response(.chunk(body), coding: coding))
            case .pages(let stream):
                responder.respond(
                    Self.response(.stream(stream, length: nil), coding: stream.coding))
            case .wait(let commit, let duration):
                wait(
                    for: duration, commit: commit, request: request, lease: lease,
                    responder: responder)
            }
        } catch {
            if case .storage(let cause) = error {
                responder.fail(cause, database: lease.name, logger: logger)
            } else {
                responder.respond(error.httpFailure.response)
            }
        }
    }

    /// Holds the request until the head moves, the time is over, the client goes or the server
    /// stops; whichever comes first answers.
    private func wait(
        for duration: Duration, commit: CommitNumber, request: Request, lease: DatabaseLease,
        responder: any HTTPResponder
    ) {
        let poll = LongPoll(database: lease.database) { reason in
            switch reason {
            case .clientGone: break
            case .headMoved:
                answer(
                    request, lease: lease, responder: responder, mayWait: false,
                    isOnWorker: true)
            case .headHadMoved, .timeOver:
                respond(to: request, lease: lease, responder: responder, mayWait: false)
            }
        }
        responder.onClientGone { poll.end(.clientGone) }
        responder.onShutdown { poll.end(.timeOver) }
        responder.schedule(after: duration) { poll.end(.timeOver) }
        poll.begin(commit: commit)
    }

    /// Always chunked: a client takes a body with Content-Length that is cut between two messages
    /// for a complete one.
    private static func response(
        _ body: HTTPResponseBody, coding: ContentCoding?
    ) -> HTTPResponse {
        var headers = [
            (name: "content-type", value: "application/protobuf"),
            (name: "vary", value: "accept-encoding"),
        ]
        if let coding { headers.append(("content-encoding", coding.rawValue)) }
        return HTTPResponse(status: 200, headers: headers, body: body)
    }
}

/// Whether the client of a request went away before the answer.
private final class ClientPresence: Sendable {
    private let hasLeft = Atomic(false)

    var isGone: Bool { hasLeft.load(ordering: .acquiring) }

    func leave() { hasLeft.store(true, ordering: .releasing) }
}

/// One held request. Ends once, for one reason.
private final class LongPoll: Sendable {
    enum Reason {
        /// Called on a worker.
        case headMoved
        /// Before the wait began.
        case headHadMoved
        case timeOver, clientGone
    }

    private struct State {
        var waiter: Database.WaiterID?
        var isOver = false
    }

    private let database: Database
    private let state = Mutex(State())
    private let ended: @Sendable (Reason) -> Void

    init(database: Database, ended: @escaping @Sendable (Reason) -> Void) {
        self.database = database
        self.ended = ended
    }

    func begin(commit: CommitNumber) {
        let waiter = database.whenHead(differsFrom: commit) { self.end(.headMoved) }
        guard let waiter else { return end(.headHadMoved) }
        let isOver = state.withLock { state -> Bool in
            state.waiter = waiter
            return state.isOver
        }
        if isOver { database.cancelWaiter(waiter) }
    }

    func end(_ reason: Reason) {
        let (isFirst, waiter) = state.withLock { state -> (Bool, Database.WaiterID?) in
            defer { state.isOver = true }
            return (!state.isOver, state.waiter)
        }
        guard isFirst else { return }
        if let waiter { database.cancelWaiter(waiter) }
        ended(reason)
    }
}

extension PageStream: HTTPBodySource {
    package func nextChunk(maximumBytes: Int) throws -> HTTPBodyPiece? {
        do throws(StorageError) {
            guard let parts = try nextPiece(maximumBytes: maximumBytes) else { return nil }
            return HTTPBodyPiece(
                parts.map { part in
                    switch part {
                    case .bytes(let bytes): .bytes(bytes)
                    case .region(let region): .region(region)
                    }
                }, isLast: isAtEnd)
        } catch {
            throw error.refusal
        }
    }
}
