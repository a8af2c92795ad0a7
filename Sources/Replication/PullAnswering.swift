package import Codecs
package import Primitives
package import Storage
package import WireProtocol

/// Why a pull got no pages.
package enum PullFailure: Error {
    case refused(PullRefusal)
    case malformedSelector
    case storage(StorageError)
}

/// The answer to a pull.
package enum PullAnswer: Sendable {
    /// All bytes of the body.
    case whole([UInt8], coding: ContentCoding?)
    case pages(PageStream)
    /// Hold the request; plan again when the head differs from `commit` or `duration` is over.
    case wait(commit: CommitNumber, duration: Duration)
}

/// Resolves a pull's revisions against a database, plans, and performs the plan.
package struct PullAnswering: Sendable {
    /// The longest that a long poll is held.
    package var longPollLimit: Duration

    /// Of pages and bodies; 1 to 19.
    package var compressionLevel: Int

    private let recent = RecentAnswer()
    /// Answers with up to so many pages are made in one go.
    private static let smallPageCount = 16

    package init(longPollLimit: Duration, compressionLevel: Int = 3) {
        self.longPollLimit = longPollLimit
        self.compressionLevel = compressionLevel
    }

    /// - Parameters:
    ///   - traced: the pages that the request's query touches (`PullRequest.tracedQuery`).
    ///   - coding: what the answer is to be compressed with, if the pages are not.
    ///   - mayWait: false once a long poll's time is over.
    ///   - mayRead: the caller may wait for the disk, so that a small answer is made at once.
    package func answer(
        _ request: PullRequest, lease: DatabaseLease, traced: [PageNumber]? = nil,
        coding: ContentCoding? = nil, mayWait: Bool, mayRead: Bool = false
    ) throws(PullFailure) -> PullAnswer {
        let database = lease.database
        guard !database.settings.contains(.notSynced) else { throw .refused(.notSynced) }
        let selection = try selection(of: request, traced: traced)
        do {
            let client = try client(request.clientRevision, database)
            let requested = Duration.milliseconds(Int64(request.longPollTimeoutMilliseconds))
            let question = PullQuestion(
                serverRevision: wanted(request.serverRevision, database),
                clientRevision: client.revision, hasSelection: selection != nil,
                longPoll: mayWait ? min(requested, longPollLimit) : .zero)
            let head = try database.openHead()
            let format = format(of: request, coding)
            var key: RecentAnswer.Key?
            switch PullPlan(question, head: head.revision.commit) {
            case .wait(let duration):
                return .wait(commit: head.revision.commit, duration: duration)
            case .unchanged:
                return .whole(
                    Self.header(
                        head.revision.carrying(replica: client.replica), head.databaseSize),
                    coding: nil)
            case .newest(.changed(let commit)):
                guard mayRead, client.replica == nil, case .framed = format else { break }
                let wanted = RecentAnswer.Key(from: commit, to: head.revision)
                if let body = recent.body(wanted) { return .whole(body, coding: nil) }
                key = wanted
            case .refuse, .begin, .newest, .revision, .missing: break
            }
            // Taken before the plan, so that what the plan calls the head is what it serves.
            let newest = try database.snapshot()
            let plan = PullPlan(question, head: newest.revision.commit)
            let subject = PullSubject(
                lease: lease, selection: selection, replica: client.replica,
                base: client.revision?.known, format: format)
            let answer = try perform(plan, subject, newest: newest)
            guard mayRead, case .pages(let stream) = answer else { return answer }
            return try whole(stream, key: newest.revision == key?.to ? key : nil) ?? answer
        } catch let error as StorageError {
            if case .revisionGone = error { throw .refused(.revisionGone) }
            throw .storage(error)
        } catch let refusal as PullRefusal {
            throw .refused(refusal)
        } catch {
            preconditionFailure("unexpected error type")
        }
    }

    /// A small answer, made and kept for others who ask the same.
    private func whole(_ stream: PageStream, key: RecentAnswer.Key?) throws -> PullAnswer? {
        do {
            guard let body = try stream.wholeBody(maximumPageCount: Self.smallPageCount)
            else { return nil }
            stream.close()
            if let key { recent.keep(body, for: key) }
            return .whole(body, coding: stream.coding)
        } catch {
            stream.close()
            throw error
        }
    }

    private func format(of request: PullRequest, _ coding: ContentCoding?) -> PageFormat {
        if request.encoding == .zstd {
            return .compressedPages(level: compressionLevel, dictionary: nil)
        }
        return coding.map { .coded($0, level: compressionLevel) } ?? .framed
    }

    private func selection(
        of request: PullRequest, traced: [PageNumber]?
    ) throws(PullFailure) -> PageSelection? {
        guard !request.selector.isEmpty else { return traced.map { .pages($0) } }
        do { return .bitmap(try PageSelector(portableRoaring: request.selector)) } catch {
            throw .malformedSelector
        }
    }

    // MARK: revisions

    /// What a client says it has, and the name of its replica if that is known here.
    ///
    /// One whose history was dropped misses pages that only all pages can bring it.
    private func client(
        _ wire: String, _ database: Database
    ) throws(StorageError) -> (revision: EchoedRevision?, replica: ReplicaID?) {
        let echoed = judged(wire, database)
        let revision: Revision
        switch echoed {
        case .known(let known):
            revision = known
            if let id = known.replica { try database.replica(id, echoed: known.commit) }
        case .unknown(let unknown): revision = unknown
        default: return (echoed, nil)
        }
        guard let id = revision.replica else { return (echoed, nil) }
        switch database.standing(of: id) {
        case .unknown: return (.unknown(revision), nil)
        // One that has every page keeps its name, so that it can be sent all if it says that it
        // misses one after all.
        case .full, .partial: return (echoed, id)
        }
    }

    /// The state whose pages a client wants. What a replica bootstrapped with is known for as long
    /// as the replica is, however old.
    private func wanted(_ wire: String, _ database: Database) -> EchoedRevision? {
        let judged = judged(wire, database)
        if case .unknown(let revision) = judged, revision.replica != nil { return .known(revision) }
        return judged
    }

    private func judged(_ wire: String, _ database: Database) -> EchoedRevision? {
        guard !wire.isEmpty else { return nil }
        guard let revision = Revision(wire: wire) else { return .unreadable }
        guard revision.databaseID == database.databaseID else { return .foreign }
        return database.knows(revision) ? .known(revision) : .unknown(revision)
    }

    // MARK: answers

    private func perform(
        _ plan: PullPlan, _ subject: PullSubject, newest: Snapshot
    ) throws -> PullAnswer {
        let database = subject.lease.database
        switch plan {
        case .refuse(let refusal): throw refusal
        case .wait(let duration):
            return .wait(commit: newest.revision.commit, duration: duration)
        case .unchanged:
            return .whole(
                Self.header(
                    newest.revision.carrying(replica: subject.replica), newest.databaseSize),
                coding: nil)
        case .begin(let pages):
            let (snapshot, id) = try database.beginReplica()
            let list = subject.list(pages, of: snapshot)
            return .pages(
                stream(
                    list, of: snapshot, subject,
                    ended: { database.replica(id, received: list().idRanges) }))
        case .newest(let pages):
            return .pages(newestStream(pages, subject, newest: newest))
        case .revision(let revision, let pages):
            let snapshot = try database.snapshot(at: revision)
            return .pages(stream(subject.list(pages, of: snapshot), of: snapshot, subject))
        case .missing(let base, let pages):
            let snapshot = try database.snapshot(forReplica: base)
            let list = subject.list(pages, of: snapshot)
            guard let id = base.replica,
                subject.selection?.isRange(databaseSize: snapshot.databaseSize) ?? true
            else {
                if let id = base.replica { database.replicaMissesPages(id) }
                return .pages(stream(list, of: snapshot, subject))
            }
            return .pages(
                stream(
                    list, of: snapshot, subject,
                    ended: { database.replica(id, received: list().idRanges) }))
        }
    }

    /// Brings a client to the newest state. For a partial replica, that this was sent has to be
    /// known from now on: what it misses, it must get as of this state.
    private func newestStream(
        _ pages: PullPlan.Pages, _ subject: PullSubject, newest: Snapshot
    ) -> PageStream {
        let list = subject.list(pages, of: newest)
        guard let replica = subject.replica else {
            guard case .changed = pages, case .compressedPages(let level, _) = subject.format else {
                return stream(list, of: newest, subject)
            }
            return changedStream(list(), of: newest, subject, level: level)
        }
        let database = subject.lease.database
        let isWhole = pages == .all
        if case .selected = pages { return stream(list, of: newest, subject, replica: replica) }
        return stream(
            list, of: newest, subject, replica: replica,
            willEnd: { () throws(StorageError) in
                try database.replica(replica, isSent: newest, isWhole: isWhole)
            })
    }

    /// Brings a client that has every page of its revision to the newest state.
    private func changedStream(
        _ list: PageList, of newest: Snapshot, _ subject: PullSubject, level: Int
    ) -> PageStream {
        var subject = subject
        if case .listed(let changed) = list {
            // It can be read for as long as no checkpoint went past it.
            let old = subject.base.flatMap { try? subject.lease.database.snapshot(at: $0) }
            let dictionary = old.flatMap { PageDictionary(changed: changed, of: $0) }
            subject.format = .compressedPages(level: level, dictionary: dictionary)
        }
        return stream({ list }, of: newest, subject)
    }

    private func stream(
        _ pages: @escaping @Sendable () -> PageList, of snapshot: Snapshot,
        _ subject: PullSubject, replica: ReplicaID? = nil,
        willEnd: @escaping @Sendable () throws(StorageError) -> Void = {},
        ended: (@Sendable () -> Void)? = nil
    ) -> PageStream {
        let revision = snapshot.revision
        var onClose: (@Sendable (Bool) -> Void)?
        if let ended { onClose = { isComplete in if isComplete { ended() } } }
        return PageStream(
            lease: subject.lease, snapshot: snapshot,
            header: Self.header(
                revision.carrying(replica: replica ?? revision.replica), snapshot.databaseSize,
                subject.format),
            format: subject.format, willEnd: willEnd,
            onClose: onClose, pages: pages)
    }

    private static func header(
        _ revision: Revision, _ databaseSize: UInt32, _ format: PageFormat = .framed
    ) -> [UInt8] {
        var header = PullResponseHeader(
            serverRevision: revision.wire, databaseSize: UInt64(databaseSize))
        if case .compressedPages(let level, let dictionary) = format {
            header.encoding = .zstd(
                level: Int32(level), dictionary: dictionary?.pages.map(\.id) ?? [])
        }
        return header.framedBytes()
    }
}

/// Whom an answer is for, and which pages it asked for.
private struct PullSubject: Sendable {
    let lease: DatabaseLease
    let selection: PageSelection?
    let replica: ReplicaID?
    /// What it says it has, if that is known.
    let base: Revision?
    var format: PageFormat

    /// The pages that a plan means; made when it is called, which may take a while.
    func list(
        _ pages: PullPlan.Pages, of snapshot: Snapshot
    ) -> @Sendable () -> PageList {
        let databaseSize = snapshot.databaseSize
        let selection = selection
        let database = lease.database
        return {
            switch pages {
            case .all: return .all(databaseSize: databaseSize)
            case .changed(let commit):
                return .listed(database.pages(changedAfter: commit, databaseSize: databaseSize))
            case .selected(let first):
                return .listed(selection?.pages(databaseSize: databaseSize, first: first) ?? [])
            }
        }
    }
}
