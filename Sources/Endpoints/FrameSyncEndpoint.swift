internal import HTTP
internal import Logging
internal import Primitives
internal import Replication
internal import SQLStreams
internal import Storage
internal import WireProtocol

/// `/info`, `/export/…` and `/sync/…`: docs/protocol.md, "Frame sync".
struct FrameSyncEndpoint: Sendable {
    private let options: FrameSyncOptions
    private let pushes: OngoingPushes
    private let pushing: FramePushing
    private let logger: Logger

    init(options: FrameSyncOptions, logger: Logger) {
        self.options = options
        self.logger = logger
        pushes = OngoingPushes(
            byteLimit: options.stagingSize, timeout: options.pushTimeout,
            quietTime: options.quietTime)
        pushing = FramePushing(
            limits: options.limits, pushes: pushes,
            check: Self.faults)
    }

    /// What keeps frames from being the newest commits of a database.
    private static func faults(
        of frames: [WALFrame], in database: Database
    ) throws(StorageError) -> [String] {
        let head = try database.snapshot()
        defer { head.release() }
        switch try ImageCheck().verdict(on: frames, over: head) {
        case .sound: return []
        case .refused(let reasons): return reasons
        }
    }

    /// Call on a worker: it waits for the disk.
    func handle(
        _ route: FrameRoute, body: [UInt8], lease: DatabaseLease, responder: any HTTPResponder
    ) {
        if let refusal = Self.refusal(lease.database) {
            responder.respond(refusal.response)
            return
        }
        switch route {
        case .info: info(lease, responder)
        case .export(let generation): export(generation, lease, responder)
        case .pull(let range): pull(range, lease, responder)
        case .push(let range, let baton): push(range, baton, body, lease, responder)
        }
    }

    /// Nil if the database takes part in frame sync.
    private static func refusal(_ database: Database) -> HTTPFailure? {
        // By this answer to `/info` newer clients choose another protocol.
        if database.settings.contains(.noFrameSync) {
            return HTTPFailure(
                status: 404, code: "frame_sync_off",
                text: "frame sync is switched off for this database")
        }
        guard database.settings.contains(.notSynced) else { return nil }
        return PullFailure.refused(.notSynced).httpFailure
    }

    private func info(_ lease: DatabaseLease, _ responder: any HTTPResponder) {
        do throws(StorageError) {
            let isFirstUse = lease.database.frameGeneration == nil
            let generation = try lease.database.beginFrameSync()
            if isFirstUse {
                pushes.began(generation: generation.number, of: lease.database)
            }
            responder.respond(
                .json(200, FrameSyncAnswer.infoJSON(generation: generation.number)))
        } catch {
            responder.fail(error, database: lease.name, logger: logger)
        }
    }

    private func export(
        _ generation: UInt32, _ lease: DatabaseLease, _ responder: any HTTPResponder
    ) {
        do throws(StorageError) {
            let base = try lease.database.generationBase(generation)
            responder.respond(
                HTTPResponse(
                    status: 200, headers: [("content-type", "application/vnd.sqlite3")],
                    body: .stream(
                        ExportSource(lease: lease, snapshot: base, mode: .wal),
                        length: UInt64(base.databaseSize) * UInt64(pageSize))))
        } catch {
            if case .revisionGone = error {
                responder.respond(Self.generationGone.response)
            } else {
                responder.fail(error, database: lease.name, logger: logger)
            }
        }
    }

    // MARK: pulls

    private func pull(
        _ range: FrameRange, _ lease: DatabaseLease, _ responder: any HTTPResponder
    ) {
        let database = lease.database
        guard let generation = database.frameGeneration, !generation.isBehind(range) else {
            responder.respond(Self.clientAhead.response)
            return
        }
        do throws(StorageError) {
            let source = try database.frameSource(
                generation: range.generation, from: range.start, limit: options.answerFrameCount)
            guard let source else { return end(range, lease, responder) }
            responder.respond(
                HTTPResponse(
                    status: 200, headers: [("content-type", "application/octet-stream")],
                    body: .stream(
                        FrameBodySource(source, lease: lease),
                        length: UInt64(source.count) * UInt64(FrameBody.frameSize))))
        } catch {
            failPull(error, lease, responder)
        }
    }

    /// A client has all frames of its generation.
    private func end(
        _ range: FrameRange, _ lease: DatabaseLease, _ responder: any HTTPResponder
    ) {
        guard let generation = lease.database.frameGeneration else {
            responder.respond(Self.clientAhead.response)
            return
        }
        guard generation.number == range.generation, mayRoll(generation, lease.database) else {
            responder.respond(Self.endOfGeneration(generation))
            return
        }
        lease.database.write(
            { session throws(StorageError) in try roll(generation, session, lease.database) },
            completion: { result in
                switch result {
                case .success(let newest): responder.respond(Self.endOfGeneration(newest))
                case .failure(let error): failPull(error, lease, responder)
                }
            })
    }

    private func mayRoll(_ generation: FrameGeneration, _ database: Database) -> Bool {
        options.rollFrameCount > 0 && generation.lastFrame >= options.rollFrameCount
            && pushes.isQuiet(database.databaseID)
    }

    /// On the writer lane: ends the generation, if nobody wrote since it was `seen`.
    ///
    /// - Returns: the newest one.
    private func roll(
        _ seen: FrameGeneration, _ session: WriterSession, _ database: Database
    ) throws(StorageError) -> FrameGeneration {
        try session.flush()
        let newest = database.frameGeneration ?? seen
        guard newest == seen, pushes.isQuiet(database.databaseID) else { return newest }
        let next = try session.rollGeneration()
        pushes.began(generation: next.number, of: database)
        return next
    }

    /// Clients read the body of a 400 here, and of no other status.
    private static func endOfGeneration(_ generation: FrameGeneration) -> HTTPResponse {
        .json(
            400,
            FrameSyncAnswer(
                status: .checkpointNeeded, generation: generation.number,
                lastFrame: generation.lastFrame
            ).endOfGenerationJSON)
    }

    private func failPull(
        _ error: StorageError, _ lease: DatabaseLease, _ responder: any HTTPResponder
    ) {
        let failure = error.framePullFailure
        if error.httpFailure.status == 500 {
            logger.error(
                "request_failed", [("database", lease.name.text), ("error", "\(error)")])
        }
        responder.respond(failure.response)
    }

    // MARK: pushes

    private func push(
        _ range: FrameRange, _ baton: PushBaton?, _ bytes: [UInt8], _ lease: DatabaseLease,
        _ responder: any HTTPResponder
    ) {
        let body: FrameBody
        do throws(FrameBody.Failure) {
            body = try FrameBody(decoding: bytes, count: range.count)
        } catch {
            responder.respond(error.httpFailure.response)
            return
        }
        let database = lease.database
        pushes.pushed(to: database.databaseID)
        let frames = (0..<body.count).map { WALFrame(wire: body[$0]) }
        database.write(
            { session throws(StorageError) in
                try perform(range, frames, baton, database, session)
            },
            completion: { [pushing, logger] result in
                switch result {
                case .success(.success(let outcome)):
                    pushing.becameDurable(outcome, on: database)
                    responder.respond(.json(200, outcome.answer.pushJSON))
                case .success(.failure(let refusal)): responder.respond(refusal.response)
                case .failure(let error):
                    if case .databaseFailed = error { pushing.wasLost(baton) }
                    responder.fail(error, database: lease.name, logger: logger)
                }
            })
    }

    /// On the writer lane.
    private func perform(
        _ range: FrameRange, _ frames: [WALFrame], _ baton: PushBaton?, _ database: Database,
        _ session: WriterSession
    ) throws(StorageError) -> Result<FramePushing.Outcome, HTTPFailure> {
        if let refusal = Self.refusal(database) { return .failure(refusal) }
        do throws(FramePushFailure) {
            return .success(
                try pushing.perform(range, frames, baton: baton, on: database, session))
        } catch {
            if case .storage(let cause) = error { throw cause }
            logger.warning(
                "frames_refused",
                [("database", database.name.text), ("reason", error.httpFailure.text)])
            return .failure(error.httpFailure)
        }
    }
}

extension FrameSyncEndpoint {
    static let generationGone = HTTPFailure(
        status: 410, code: "generation_gone",
        text: "that generation is not the current one; ask /info for it")

    /// A restored server must not let its frames be mixed with others.
    static let clientAhead = HTTPFailure(
        status: 410, code: "client_ahead",
        text: "this replica has frames that the server does not know: the server was put back "
            + "from an older copy; start with a new local file")
}

extension FrameGeneration {
    /// Whether a client that asks for these frames next has some that the server never had.
    fileprivate func isBehind(_ range: FrameRange) -> Bool {
        let next = UInt64(lastFrame) + 1
        if range.generation == number { return UInt64(range.start) > next }
        if range.generation > number { return true }
        guard let previousEnd, range.generation == number - 1 else { return false }
        // It counts on from the end of its generation.
        return UInt64(range.start) > UInt64(previousEnd) + next
    }
}

extension StorageError {
    /// For a pull of frames: clients read the body of a 500 as the end of a generation and try
    /// again after a 503.
    var framePullFailure: HTTPFailure {
        if case .revisionGone = self { return FrameSyncEndpoint.clientAhead }
        let failure = httpFailure
        guard failure.status == 500 else { return failure }
        return HTTPFailure(status: 503, code: failure.code, text: failure.text)
    }
}

extension HTTPResponse {
    fileprivate static func json(_ status: Int, _ body: [UInt8]) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: [("content-type", "application/json")], body: .bytes(body))
    }
}

/// Frames as a body, while the lease keeps their database open.
private final class FrameBodySource: HTTPBodySource, @unchecked Sendable {
    // @unchecked: pieces are asked for one after another.

    private let lease: DatabaseLease
    private var source: FrameSource?

    init(_ source: FrameSource, lease: DatabaseLease) {
        self.source = source
        self.lease = lease
    }

    func nextChunk(maximumBytes: Int) throws -> HTTPBodyPiece? {
        do throws(StorageError) {
            return try source?.nextPiece(maximumBytes: maximumBytes).map { .bytes($0) }
        } catch {
            throw HTTPRefusal(
                CrossOrigin.allow(error.framePullFailure.response), cause: "\(error)")
        }
    }

    func close() { source = nil }
}
