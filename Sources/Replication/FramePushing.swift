package import Storage
package import WireProtocol

/// Why a push of frames got no answer of the protocol.
package enum FramePushFailure: Error {
    /// What the frames make of the database is not one that can be kept; each reason once.
    case refused(reasons: [String])
    case staging(FrameStaging.Refusal)
    case storage(StorageError)
}

/// Performs pushes of frames.
package struct FramePushing: Sendable {
    /// Says what is wrong with the database that whole transactions would make of the newest
    /// state; empty if nothing is.
    package typealias Check =
        @Sendable ([WALFrame], Database) throws(StorageError) -> [String]

    private let limits: FramePushLimits
    private let pushes: OngoingPushes
    private let check: Check

    package init(limits: FramePushLimits, pushes: OngoingPushes, check: @escaping Check) {
        self.limits = limits
        self.pushes = pushes
        self.check = check
    }

    /// What a push came to. Pass it to `becameDurable` before its answer leaves.
    package struct Outcome: Sendable {
        package let answer: FrameSyncAnswer
        /// What is staged, and under which baton, once what was applied is durable.
        fileprivate var taken: (staged: StagedFrames, baton: PushBaton)?
    }

    /// Call on the writer lane. What was taken is staged when it returns, or committed.
    ///
    /// - Parameter frames: as many as `range` has.
    package func perform(
        _ range: FrameRange, _ frames: [WALFrame], baton: PushBaton?, on database: Database,
        _ session: WriterSession
    ) throws(FramePushFailure) -> Outcome {
        // It is decided by what clients can have seen. They build on nothing else, so nobody
        // loses by the wait.
        do throws(StorageError) { try session.flush() } catch { throw .storage(error) }
        guard let generation = database.frameGeneration else {
            // Nobody was given a generation to push to.
            return Outcome(
                answer: FrameSyncAnswer(
                    status: .conflict, generation: range.generation, lastFrame: 0))
        }
        let staged = baton.flatMap { baton in
            pushes.withStaging { $0.frames(baton, of: database.databaseID, now: $1) }
        }
        let live = staged == nil ? nil : baton
        let plan = FramePushPlan(
            range: range, frames: frames, staged: staged,
            unfinished: pushes.unfinished(of: database), limits: limits)
        do {
            var step = plan.step(FramePushSituation(generation))
            if case .compare(let stored) = step {
                step = plan.step(
                    FramePushSituation(generation),
                    overlap: plan.overlap(with: try session.frames(stored)))
            }
            switch step {
            case .compare: preconditionFailure("compared twice")
            case .answer(let status, let lastFrame):
                end(live)
                return Outcome(
                    answer: FrameSyncAnswer(
                        status: status, generation: range.generation, lastFrame: lastFrame))
            case .askForCheckpoint(let lastFrame):
                try database.noteCheckpointNeeded()
                return Outcome(
                    answer: FrameSyncAnswer(
                        status: .checkpointNeeded, generation: range.generation,
                        lastFrame: lastFrame))
            case .take(let transactions, let rest, let firstStaged):
                let rest = StagedFrames(
                    generation: generation.number, first: firstStaged, frames: rest)
                let baton = live ?? .random()
                let isStaged = try take(transactions, rest, baton, database, session)
                return Outcome(
                    answer: FrameSyncAnswer(
                        status: .ok, generation: range.generation, lastFrame: range.last,
                        baton: isStaged ? baton.text : nil),
                    taken: (rest, baton))
            }
        } catch let error as StorageError {
            throw .storage(error)
        } catch let error as FramePushFailure {
            throw error
        } catch {
            preconditionFailure("unexpected error type")
        }
    }

    /// Stages what follows the whole transactions, and applies these.
    ///
    /// - Returns: whether the client gets the baton; not if nothing is staged and there is no room
    ///   to remember that the push goes on, which its client can do without.
    private func take(
        _ transactions: [WALFrame], _ rest: StagedFrames, _ baton: PushBaton,
        _ database: Database, _ session: WriterSession
    ) throws -> Bool {
        // First, because a client that is refused must find all as it was.
        let refusal = pushes.withStaging {
            $0.store(rest, under: baton, of: database.databaseID, now: $1)
        }
        if let refusal, !rest.frames.isEmpty { throw FramePushFailure.staging(refusal) }
        do {
            if !transactions.isEmpty {
                let reasons = try check(transactions, database)
                guard reasons.isEmpty else { throw FramePushFailure.refused(reasons: reasons) }
            }
            try pushes.willTake(rest, under: baton, of: database)
            if !transactions.isEmpty { try session.apply(transactions) }
        } catch {
            // The client meets a gap when it goes on, and begins again.
            end(baton)
            throw error
        }
        return refusal == nil
    }

    /// What a push committed is durable, so its answer may leave.
    package func becameDurable(_ outcome: Outcome, on database: Database) {
        guard let (staged, baton) = outcome.taken else { return }
        pushes.took(staged, under: baton, of: database)
    }

    /// The database failed before a push was durable: as if it had been refused. A baton that its
    /// client never got ends by itself.
    package func wasLost(_ baton: PushBaton?) { end(baton) }

    private func end(_ baton: PushBaton?) {
        guard let baton else { return }
        pushes.withStaging { staging, _ in staging.end(baton) }
    }
}
