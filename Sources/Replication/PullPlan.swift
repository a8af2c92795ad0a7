package import Primitives

/// What a pull asks for, after its bytes were decoded. Pure; see docs/protocol.md, "Pull".
package struct PullQuestion: Equatable, Sendable {
    /// The revision whose pages are wanted, for a replica's what it bootstrapped with; nil for the
    /// newest.
    package var serverRevision: EchoedRevision?
    /// The revision that the replica has; nil for none. Unknown as well if it misses pages whose
    /// history was dropped.
    package var clientRevision: EchoedRevision?
    /// Whether the client names the pages it wants; otherwise it wants all.
    package var hasSelection: Bool
    package var longPoll: Duration

    package init(
        serverRevision: EchoedRevision?, clientRevision: EchoedRevision?, hasSelection: Bool,
        longPoll: Duration
    ) {
        self.serverRevision = serverRevision
        self.clientRevision = clientRevision
        self.hasSelection = hasSelection
        self.longPoll = longPoll
    }
}

/// A revision as a client sent it back, judged by the database it was sent to.
package enum EchoedRevision: Equatable, Sendable {
    /// One of this database's states.
    case known(Revision)
    /// This database's, but its books do not hold it: pruned, or from another copy of the folder.
    case unknown(Revision)
    /// Of a database with another identity: one that was deleted or replaced under this name.
    case foreign
    /// Nothing that this server ever wrote.
    case unreadable

    package var known: Revision? {
        if case .known(let revision) = self { revision } else { nil }
    }
}

/// Why a pull is refused.
package enum PullRefusal: Error, Equatable, Sendable {
    /// The database is configured not to be synced and may hold what replicas cannot.
    case notSynced
    /// The replica belongs to another database; its unpushed changes must not be mixed in.
    case otherDatabase
    /// The revision whose pages are wanted is not kept any more.
    case revisionGone
    /// The revision whose pages are wanted was never one of ours.
    case revisionUnreadable
}

/// What to answer to a pull.
package enum PullPlan: Equatable, Sendable {
    /// What becomes of a database's first page, which replicas have from their first request on.
    package enum FirstPage: Equatable, Sendable {
        case asSelected
        /// Sent, selected or not: a client dies without it.
        case always
        /// Left out, unless nothing else is selected: a client keeps tables of its own, and has
        /// its schema with these in this page after a checkpoint. It would write over it.
        case keepsItsOwn
    }

    package enum Pages: Equatable, Sendable {
        case all
        case changed(after: CommitNumber)
        /// Those that the client named, as far as they exist.
        case selected(first: FirstPage)
    }

    /// A header and no pages.
    case unchanged
    /// Hold the request until the head moves or the time is over, then plan again.
    case wait(Duration)
    /// Pages of the newest state for a client that will ask for others.
    case begin(Pages)
    /// Pages of the newest state.
    case newest(Pages)
    /// Pages of an older state.
    case revision(Revision, Pages)
    /// Pages that a partial replica misses.
    case missing(Revision, Pages)
    case refuse(PullRefusal)

    /// - Parameter head: the newest durable commit.
    package init(_ question: PullQuestion, head: CommitNumber) {
        switch question.serverRevision {
        case .known(let revision) where revision.replica != nil:
            self = .missing(
                revision, question.hasSelection ? .selected(first: .keepsItsOwn) : .all)
        case .known(let revision): self = .revision(revision, Self.pages(question))
        case .unknown: self = .refuse(.revisionGone)
        case .foreign: self = .refuse(.otherDatabase)
        case .unreadable: self = .refuse(.revisionUnreadable)
        case nil: self = Self.newestPlan(question, head: head)
        }
    }

    private static func newestPlan(_ question: PullQuestion, head: CommitNumber) -> PullPlan {
        switch question.clientRevision {
        case nil:
            guard question.hasSelection else { return .newest(.all) }
            // A bootstrap in several requests looks the same as a partial one.
            return .begin(.selected(first: .always))
        case .foreign: return .refuse(.otherDatabase)
        case .unknown, .unreadable:
            // Every page as an increment works on all clients, also with unpushed changes.
            return .newest(.all)
        case .known(let revision) where revision.commit == head:
            return question.longPoll > .zero ? .wait(question.longPoll) : .unchanged
        case .known: return .newest(pages(question))
        }
    }

    private static func pages(_ question: PullQuestion) -> Pages {
        if question.hasSelection { return .selected(first: .asSelected) }
        if case .known(let revision) = question.clientRevision {
            return .changed(after: revision.commit)
        }
        return .all
    }
}
