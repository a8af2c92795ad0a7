internal import Execution
package import Primitives
package import Storage
internal import WireProtocol

/// Frames of a transaction whose end has not come yet.
package struct StagedFrames: Equatable, Sendable {
    package let generation: UInt32
    /// The number of the first frame: the one behind the newest commit when they came.
    package let first: UInt32
    /// None between two transactions of one push.
    package let frames: [WALFrame]

    package init(generation: UInt32, first: UInt32, frames: [WALFrame]) {
        self.generation = generation
        self.first = first
        self.frames = frames
    }
}

/// Names a push that goes on over several requests: 128 random bits, as 32 hexadecimal digits.
package struct PushBaton: Hashable, Sendable {
    package let text: String

    /// Anything that a client sends; what this server did not make is not found.
    package init(_ text: String) { self.text = text }

    package static func random() -> PushBaton {
        PushBaton(RandomIdentifier.baton())
    }
}

/// The pushes of all databases that go on over several requests, and their frames, in memory. A push
/// ends when it was not continued for a while, and with the process: its client then meets a gap
/// and begins again. Pure.
///
/// Invariant: what is kept is at most `byteLimit`.
package struct FrameStaging {
    package enum Refusal: Error, Equatable {
        /// More than fits even if nobody else pushes.
        case transactionTooLarge
        /// Other pushes hold the room now.
        case full
    }

    private struct Session {
        let database: DatabaseID
        let staged: StagedFrames
        let deadline: ContinuousClock.Instant
        var byteCount: Int { FrameStaging.byteCount(of: staged.frames.count) }
    }

    private let byteLimit: Int
    private let timeout: Duration
    private var sessions: [PushBaton: Session] = [:]
    /// One entry for each time that a session was stored; those whose deadline is not the
    /// session's any more mean nothing.
    private var deadlines = Queue<(baton: PushBaton, deadline: ContinuousClock.Instant)>()
    private var nextDeadline: (baton: PushBaton, deadline: ContinuousClock.Instant)?
    private(set) var byteCount = 0

    package init(byteLimit: Int, timeout: Duration = .seconds(60)) {
        self.byteLimit = byteLimit
        self.timeout = timeout
    }

    package var sessionCount: Int { sessions.count }

    /// What a baton stands for; nil if it is not one of this database, or its time is over.
    package func frames(
        _ baton: PushBaton, of database: DatabaseID, now: ContinuousClock.Instant
    ) -> StagedFrames? {
        guard let session = sessions[baton], session.database == database, session.deadline > now
        else { return nil }
        return session.staged
    }

    /// Keeps frames under `baton`, in place of those that were kept there.
    ///
    /// - Returns: why not; then nothing is kept under `baton`.
    package mutating func store(
        _ staged: StagedFrames, under baton: PushBaton, of database: DatabaseID,
        now: ContinuousClock.Instant
    ) -> Refusal? {
        expire(now: now)
        end(baton)
        let session = Session(database: database, staged: staged, deadline: now + timeout)
        guard session.byteCount <= byteLimit else { return .transactionTooLarge }
        guard byteCount + session.byteCount <= byteLimit else { return .full }
        byteCount += session.byteCount
        sessions[baton] = session
        deadlines.append((baton, session.deadline))
        return nil
    }

    package mutating func end(_ baton: PushBaton) {
        if let session = sessions.removeValue(forKey: baton) { byteCount -= session.byteCount }
    }

    /// Forgets the pushes whose time is over.
    package mutating func expire(now: ContinuousClock.Instant) {
        while let entry = nextDeadline ?? deadlines.popFirst() {
            guard entry.deadline <= now else {
                nextDeadline = entry
                return
            }
            nextDeadline = nil
            if sessions[entry.baton]?.deadline == entry.deadline { end(entry.baton) }
        }
    }

    /// Of a session; one without frames costs something, too.
    static func byteCount(of frameCount: Int) -> Int { 512 + frameCount * FrameBody.frameSize }
}
