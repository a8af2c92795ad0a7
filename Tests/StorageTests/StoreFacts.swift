import Primitives

@testable import Storage

/// What must be true of a store at one moment.
struct StoreFacts {
    /// The two positions of a replica.
    struct Place: Equatable {
        let echoed: Replica.Position
        let sent: Replica.Position
    }

    struct KnownReplica {
        let base: Revision
        let baseSize: UInt32
        /// What its client has pulled.
        var has: Replica.Position
        /// Where it may be for the disk; the last one is where it is for the server.
        var places: [Place]
        var lastUse: Int64
        /// An operation failed that would have dropped it.
        var mayBeGone = false
    }

    /// Acknowledged, ascending.
    var revisions: [Revision] = []
    /// What each commit held.
    var contents: [CommitNumber: [UInt8]] = [:]
    var replicas: [ReplicaID: KnownReplica] = [:]
    /// Databases besides `default`.
    var others: Set<DatabaseName> = []
    /// Those whose making or removal failed.
    var doubtfulOthers: Set<DatabaseName> = []
    /// The number in the table `mark` that the newest acknowledged commit wrote there.
    var acknowledged: Int64 = 0
    /// The same of the newest commit that was tried.
    var attempted: Int64 = 0
    /// A commit failed: after a crash it may be there.
    var mayHaveMore = false
    /// A beginning failed: there may be replicas that nobody knows of.
    var mayHaveOrphans = false
    /// Seconds since 1970.
    var now: Int64 = 1_000_000

    /// What a replica at `place` is given for all the pages of its base.
    func lazyImage(_ replica: KnownReplica, at place: Place) throws -> [UInt8] {
        guard let newest = contents[place.sent.commit], let older = contents[place.echoed.commit]
        else { throw Mismatch("a position without content") }
        let size = Int(replica.baseSize) * pageSize
        var image = Array(newest.prefix(size))
        if image.count < older.count { image += older[image.count..<min(size, older.count)] }
        return image + [UInt8](repeating: 0, count: size - image.count)
    }
}

/// Compares a store with what must be true of it, between two moments: what happened at the first
/// one is there, and nothing that had not begun at the second.
struct StoreJudge {
    let before: StoreFacts
    let after: StoreFacts

    /// - Parameter deltaCount: from how many of the known revisions deltas are compared.
    func check(_ fixture: StorageFixture, deltaCount: Int = 4) throws {
        let database = try fixture.acquire().database
        let snapshot = try database.snapshot()
        let content = try fixture.image(of: snapshot)
        try checkHead(snapshot.revision, content, fixture)
        try checkRevisions(snapshot, content, deltaCount, fixture)
        try checkReplicas(database, fixture)
        let names = Set(fixture.store.names).subtracting([.default])
        let doubtful = before.doubtfulOthers.union(after.doubtfulOthers)
        let certain = before.others.intersection(after.others).subtracting(doubtful)
        let possible = before.others.union(after.others).union(doubtful)
        try require(
            names.isSuperset(of: certain) && names.isSubset(of: possible),
            "databases \(names.map(\.text)), certain \(certain.map(\.text))")
        for name in names {
            let other = try fixture.acquire(name).database.snapshot()
            try checkIntegrity(try fixture.image(of: other), fixture)
        }
    }

    private var mayHaveMore: Bool { before.mayHaveMore || after.mayHaveMore }

    private func checkHead(
        _ head: Revision, _ content: [UInt8], _ fixture: StorageFixture
    ) throws {
        guard let acknowledged = before.revisions.last else { return }
        try require(head.commit >= acknowledged.commit, "an acknowledged commit is lost")
        if let known = after.contents[head.commit] ?? before.contents[head.commit] {
            try require(known == content, "the head is not what was committed")
        } else {
            try require(mayHaveMore, "commit \(head.commit.rawValue) was never made")
        }
        try checkIntegrity(content, fixture)
        let limit = mayHaveMore ? after.attempted : after.acknowledged
        try fixture.withImage(content) { connection in
            let mark = try connection.queryInteger("SELECT n FROM mark") ?? -1
            try require(
                (before.acknowledged...limit).contains(mark),
                "mark \(mark), acknowledged \(before.acknowledged)")
        }
    }

    private func checkIntegrity(_ content: [UInt8], _ fixture: StorageFixture) throws {
        try fixture.withImage(content) { connection in
            try require(
                try connection.queryText("PRAGMA integrity_check") == "ok", "integrity check")
        }
    }

    private func checkRevisions(
        _ head: Snapshot, _ content: [UInt8], _ deltaCount: Int, _ fixture: StorageFixture
    ) throws {
        let database = try fixture.acquire().database
        for revision in before.revisions {
            try require(
                database.knows(revision), "commit \(revision.commit.rawValue) is unknown")
        }
        for revision in after.revisions where revision.commit > head.revision.commit {
            try require(
                !database.knows(revision), "commit \(revision.commit.rawValue) is known")
        }
        let count = before.revisions.count
        let chosen = stride(from: count - 1, through: 0, by: -max(1, count / max(1, deltaCount)))
        for revision in chosen.map({ before.revisions[$0] }) {
            guard let old = before.contents[revision.commit] else { continue }
            let pages = database.pages(
                changedAfter: revision.commit, databaseSize: head.databaseSize)
            try require(
                fixture.patched(old, pages, from: content) == content,
                "the delta from commit \(revision.commit.rawValue)")
            if let exact = try? database.snapshot(at: revision) {
                try require(
                    fixture.image(of: exact) == old,
                    "commit \(revision.commit.rawValue) as it was")
            }
        }
    }

    private func checkReplicas(_ database: Database, _ fixture: StorageFixture) throws {
        var found: [ReplicaID: Replica] = [:]
        for replica in database.partialReplicas { found[replica.id] = replica }
        for (id, known) in before.replicas where found[id] == nil {
            try require(
                known.mayBeGone || after.replicas[id]?.mayBeGone ?? true,
                "replica \(id.hexadecimal) is lost, of \(before.replicas.count), \(after.replicas.count); "
                    + "found \(found.count)")
        }
        for (id, replica) in found {
            let known = [before.replicas[id], after.replicas[id]].compactMap { $0 }
            guard let first = known.first else {
                try require(
                    before.mayHaveOrphans || after.mayHaveOrphans, "a replica from nowhere")
                continue
            }
            try require(
                replica.base.commit == first.base.commit
                    && replica.base.databaseSize == first.baseSize, "the base of a replica")
            let place = StoreFacts.Place(echoed: replica.echoed, sent: replica.sent)
            try require(
                known.contains { $0.places.contains(place) },
                "a replica at \(place), not \(known.map(\.places))")
            let image = try fixture.peek(replica, database)
            let facts = after.replicas[id] == nil ? before : after
            try require(
                image == facts.lazyImage(first, at: place), "the missing pages of a replica")
        }
    }
}

extension StorageFixture {
    /// What a replica would be given for all the pages of its base, without being used.
    func peek(_ replica: Replica, _ database: Database) throws -> [UInt8] {
        let layers =
            replica.echoed == replica.sent ? [replica.sent] : [replica.sent, replica.echoed]
        let revision = Revision(
            databaseID: database.databaseID, epoch: replica.baseEpoch, commit: replica.base.commit)
        database.state.withLock { state in
            for layer in layers {
                precondition(state.books.addPin(layer.commit, now: 0), "a replica's pin is missing")
            }
        }
        let snapshot = Snapshot(
            database: database, revision: revision, databaseSize: replica.base.databaseSize,
            layers: layers)
        return try image(of: snapshot)
    }
}
