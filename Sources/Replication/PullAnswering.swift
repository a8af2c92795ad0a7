internal import Codecs
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
    /// The bytes of a header without pages.
    case unchanged([UInt8])
    case pages(PageStream)
    /// Hold the request; plan again when the head differs from `commit` or `duration` is over.
    case wait(commit: CommitNumber, duration: Duration)
}

/// Resolves a pull's revisions against a database, plans, and performs the plan.
package struct PullAnswering: Sendable {
    /// The longest that a long poll is held.
    package var longPollLimit: Duration

    package init(longPollLimit: Duration) { self.longPollLimit = longPollLimit }

    /// - Parameters:
    ///   - traced: the pages that the request's query touches (`PullRequest.tracedQuery`).
    ///   - mayWait: false once a long poll's time is over.
    package func answer(
        _ request: PullRequest, lease: DatabaseLease, traced: [PageNumber]? = nil, mayWait: Bool
    ) throws(PullFailure) -> PullAnswer {
        let database = lease.database
        guard !database.settings.contains(.notSynced) else { throw .refused(.notSynced) }
        let selection = try selection(of: request, traced: traced)
        // Taken before the plan, so that what the plan calls the head is what it serves.
        let newest: Snapshot
        do { newest = try database.snapshot() } catch { throw .storage(error) }
        let requested = Duration.milliseconds(Int64(request.longPollTimeoutMilliseconds))
        let question = PullQuestion(
            serverRevision: echoed(request.serverRevision, database),
            clientRevision: echoed(request.clientRevision, database),
            hasSelection: selection != nil,
            longPoll: mayWait ? min(requested, longPollLimit) : .zero)
        switch PullPlan(question, head: newest.revision.commit) {
        case .refuse(let refusal): throw .refused(refusal)
        case .wait(let duration):
            return .wait(commit: newest.revision.commit, duration: duration)
        case .unchanged:
            let replica = Revision(wire: request.clientRevision)?.replica
            return .unchanged(header(newest, replica: replica))
        case .newest(let pages, let keepsRevision):
            if keepsRevision { database.lease(newest) }
            return .pages(stream(pages, selection, of: newest, lease: lease))
        case .revision(let revision, let pages):
            let snapshot: Snapshot
            do { snapshot = try database.snapshot(at: revision) } catch {
                if case .revisionGone = error { throw .refused(.revisionGone) }
                throw .storage(error)
            }
            database.lease(snapshot)
            return .pages(stream(pages, selection, of: snapshot, lease: lease))
        }
    }

    private func selection(
        of request: PullRequest, traced: [PageNumber]?
    ) throws(PullFailure) -> PageSelection? {
        guard !request.selector.isEmpty else { return traced.map { .pages($0) } }
        do { return .bitmap(try PageSelector(portableRoaring: request.selector)) } catch {
            throw .malformedSelector
        }
    }

    private func echoed(_ wire: String, _ database: Database) -> EchoedRevision? {
        guard !wire.isEmpty else { return nil }
        guard let revision = Revision(wire: wire) else { return .unreadable }
        guard revision.databaseID == database.databaseID else { return .foreign }
        return database.knows(revision) ? .known(revision) : .unknown(revision)
    }

    private func stream(
        _ pages: PullPlan.Pages, _ selection: PageSelection?, of snapshot: Snapshot,
        lease: DatabaseLease
    ) -> PageStream {
        let databaseSize = snapshot.databaseSize
        return PageStream(
            lease: lease, snapshot: snapshot, header: header(snapshot, replica: nil)
        ) {
            switch pages {
            case .all: return .all(databaseSize: databaseSize)
            case .changed(let commit):
                return .listed(
                    lease.database.pages(changedAfter: commit, databaseSize: databaseSize))
            case .selected(let withFirst):
                return .listed(
                    selection?.pages(databaseSize: databaseSize, withFirst: withFirst) ?? [])
            }
        }
    }

    private func header(_ snapshot: Snapshot, replica: UInt64?) -> [UInt8] {
        PullResponseHeader(
            serverRevision: snapshot.revision.carrying(replica: replica).wire,
            databaseSize: UInt64(snapshot.databaseSize)
        ).framedBytes()
    }
}
