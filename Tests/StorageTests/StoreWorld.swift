import Foundation
import Primitives
import SQLite
import Synchronization
import TestSupport

@testable import Storage

/// A store that a test changes step by step, and what must be true of it. `default` holds the
/// tables `t` and `mark`; every commit of a step writes its number to the latter.
final class StoreWorld {
    let fixture: StorageFixture
    private(set) var facts: StoreFacts
    /// Called behind every step, and between the parts of those that have several.
    var stepEnded: (StoreFacts) -> Void = { _ in }
    /// Replicas may go for want of room.
    var quotaIsTight = false
    private(set) var dropCount = 0
    /// Called before the store is closed to be opened again; nobody may read then.
    var willReopen: () -> Void = {}
    private let clock: Clock

    final class Clock: Sendable {
        let now: Atomic<Int64>
        init(_ now: Int64) { self.now = Atomic(now) }
    }

    /// - Parameter facts: what is known of the store in `directory`.
    init(
        directory: String, options: StorageOptions = StorageOptions(),
        facts: StoreFacts = StoreFacts()
    ) throws {
        let clock = Clock(facts.now)
        var options = options
        options.clock = { clock.now.load(ordering: .relaxed) }
        self.clock = clock
        self.facts = facts
        fixture = try StorageFixture(directory: directory, options: options)
    }

    func tearDown() { fixture.tearDown() }

    func database() throws -> Database { try fixture.acquire().database }

    /// Of replicas that should be there.
    var ids: [ReplicaID] { facts.replicas.keys.sorted { $0.rawValue < $1.rawValue } }

    // MARK: steps; what fails leaves its effect open

    /// Makes the tables.
    func begin() throws {
        try fixture.execute(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);
            """)
        try fixture.execute("CREATE TABLE mark AS SELECT 0 AS n")
        try noteHead()
        try settle()
    }

    func commit(_ sql: String) throws {
        facts.attempted += 1
        let marks = facts.attempted
        let isAlone = sql == "VACUUM"
        do {
            try fixture.execute(
                isAlone ? sql : "BEGIN; \(sql); UPDATE mark SET n = \(marks); COMMIT")
        } catch {
            // What closes the database for its failure comes behind the answer.
            if let database = try? database() { fixture.drainWriter(database) }
            facts.mayHaveMore = true
            stepEnded(facts)
            throw error
        }
        if !isAlone { facts.acknowledged = marks }
        try settle()
        try noteHead()
    }

    // MARK: frame sync

    func beginFrameSync() throws {
        _ = try database().beginFrameSync()
        try settle()
    }

    /// A client pushes a transaction that writes two pages as they are.
    func push() throws {
        let snapshot = try database().snapshot()
        let frames = try [PageNumber(1)!, PageNumber(2)!].map { page in
            WALFrame(
                page: page.rawValue,
                databaseSize: page == PageNumber(1)! ? 0 : snapshot.databaseSize,
                content: try snapshot.page(page))
        }
        try fixture.write(database()) { try $0.apply(frames) }
        try settle()
        try noteHead()
    }

    func roll() throws {
        try fixture.write(database()) { try $0.rollGeneration() }
        try settle()
    }

    func beginReplica() throws -> ReplicaID {
        let id: ReplicaID
        do {
            let (snapshot, begun) = try database().beginReplica()
            id = begun
            try note(snapshot)
            let position = Replica.Position(
                commit: snapshot.revision.commit, databaseSize: snapshot.databaseSize)
            facts.replicas[id] = .init(
                base: snapshot.revision, baseSize: snapshot.databaseSize, has: position,
                places: [.init(echoed: position, sent: position)], lastUse: facts.now)
        } catch {
            facts.mayHaveOrphans = true
            stepEnded(facts)
            throw error
        }
        stepEnded(facts)
        return id
    }

    /// A replica reads what it misses.
    func read(_ id: ReplicaID) throws {
        guard let known = facts.replicas[id] else { return }
        noteUse(id)
        let database = try database()
        let snapshot = try database.snapshot(forReplica: known.base)
        guard let replica = database.partialReplicas.first(where: { $0.id == id })
        else { throw Mismatch("a replica that nobody knows was served") }
        let place = StoreFacts.Place(echoed: replica.echoed, sent: replica.sent)
        try require(known.places.contains(place), "a replica at \(place)")
        try require(
            fixture.image(of: snapshot) == facts.lazyImage(known, at: place),
            "what a replica misses")
        stepEnded(facts)
    }

    /// A replica pulls; its answer may get lost.
    func pull(_ id: ReplicaID, arrives: Bool) throws {
        guard let known = facts.replicas[id] else { return }
        let database = try database()
        noteUse(id)
        let echoed = StoreFacts.Place(echoed: known.has, sent: known.has)
        facts.replicas[id]?.places.append(echoed)
        try database.replica(id, echoed: known.has.commit)
        // Further back than was thought is written down at once.
        if let sent = known.places.last?.sent, known.has.commit < sent.commit {
            facts.replicas[id]?.places = [echoed]
        }
        stepEnded(facts)
        let snapshot = try database.snapshot()
        let revision = snapshot.revision
        guard let content = facts.contents[revision.commit] else { return }
        try require(fixture.image(of: snapshot) == content, "a pull")
        try checkDelta(from: known.has.commit, to: snapshot, content, database)
        let sent = Replica.Position(commit: revision.commit, databaseSize: snapshot.databaseSize)
        let place = StoreFacts.Place(echoed: known.has, sent: sent)
        facts.replicas[id]?.places.append(place)
        try database.replica(id, isSent: snapshot, isWhole: false)
        if sent != known.has { facts.replicas[id]?.places = [place] }
        if arrives { facts.replicas[id]?.has = sent }
        stepEnded(facts)
    }

    private func noteUse(_ id: ReplicaID) {
        let now = facts.now
        facts.replicas[id]?.lastUse = now
    }

    private func checkDelta(
        from commit: CommitNumber, to snapshot: Snapshot, _ content: [UInt8], _ database: Database
    ) throws {
        guard let old = facts.contents[commit] else { throw Mismatch("unknown content") }
        let pages = database.pages(changedAfter: commit, databaseSize: snapshot.databaseSize)
        try require(
            fixture.patched(old, pages, from: content) == content,
            "a pull from commit \(commit.rawValue)")
    }

    func drop(_ id: ReplicaID) throws {
        let box = Box<Result<Bool, StorageError>>()
        facts.replicas[id]?.mayBeGone = true
        try database().dropReplica(id) { box.set($0) }
        _ = try box.wait().get()
        facts.replicas[id] = nil
        try settle()
        stepEnded(facts)
    }

    @discardableResult
    func checkpoint(_ mode: CheckpointMode) throws -> CheckpointResult {
        do {
            let result = try fixture.checkpoint(mode)
            try settle()
            stepEnded(facts)
            return result
        } catch {
            // It may have forgotten some before it failed.
            for id in facts.replicas.keys where mayGo(id) { facts.replicas[id]?.mayBeGone = true }
            stepEnded(facts)
            throw error
        }
    }

    func advance(seconds: Int64) {
        facts.now += seconds
        clock.now.store(facts.now, ordering: .relaxed)
        stepEnded(facts)
    }

    func reopen() throws {
        willReopen()
        try fixture.reopen()
        _ = try database()
        // What it was used for is written down once an hour.
        for replica in try database().partialReplicas {
            facts.replicas[replica.id]?.lastUse = replica.lastUse
        }
        stepEnded(facts)
    }

    /// Databases come and go, one of them a copy.
    func create(_ name: DatabaseName, copying: Bool) throws {
        facts.doubtfulOthers.insert(name)
        if copying {
            try fixture.store.create(name, copying: try database().snapshot())
        } else {
            try fixture.store.create(name)
        }
        facts.others.insert(name)
        facts.doubtfulOthers.remove(name)
        stepEnded(facts)
    }

    func delete(_ name: DatabaseName) throws {
        let box = Box<StorageError?>()
        facts.doubtfulOthers.insert(name)
        fixture.store.delete(name) { box.set($0) }
        if let error = box.wait() { throw error }
        facts.others.remove(name)
        facts.doubtfulOthers.remove(name)
        stepEnded(facts)
    }

    // MARK: what became of them

    /// Lets the checkpoint behind a commit end, and finds out which replicas it dropped.
    private func settle() throws {
        guard let database = try? database() else { return }
        fixture.drainWriter(database)
        let kept = Set(database.partialReplicas.map(\.id))
        for (id, known) in facts.replicas where !kept.contains(id) {
            try require(known.mayBeGone || mayGo(id), "a replica was dropped")
            facts.replicas[id] = nil
            dropCount += 1
        }
    }

    /// It is time for it to go, or there is no room and none was unused for longer.
    private func mayGo(_ id: ReplicaID) -> Bool {
        guard let known = facts.replicas[id] else { return true }
        if facts.now - known.lastUse > fixture.options.pinRetention.components.seconds {
            return true
        }
        return quotaIsTight
    }

    private func noteHead() throws {
        // A failure behind the commit may have closed the database; the check looks at the mark.
        guard let snapshot = try? database().snapshot(), snapshot.revision != facts.revisions.last
        else { return stepEnded(facts) }
        try note(snapshot)
        facts.mayHaveMore = false
        stepEnded(facts)
    }

    private func note(_ snapshot: Snapshot) throws {
        let revision = snapshot.revision.carrying(replica: nil)
        guard facts.contents[revision.commit] == nil else { return }
        facts.contents[revision.commit] = try fixture.image(of: snapshot)
        facts.revisions.append(revision)
    }

    /// Everything that must be true, now.
    func check() throws {
        try StoreJudge(before: facts, after: facts).check(fixture)
        for (id, known) in facts.replicas where !known.mayBeGone {
            try require(try database().standing(of: id) == .partial, "a replica's standing")
        }
    }

    /// Takes over what a crash left open.
    func adopt() throws {
        let database = try database()
        let snapshot = try database.snapshot()
        facts.revisions.removeAll { $0.commit > snapshot.revision.commit }
        if snapshot.revision != facts.revisions.last { facts.revisions.append(snapshot.revision) }
        facts.contents[snapshot.revision.commit] = try fixture.image(of: snapshot)
        facts.mayHaveMore = false
        let old = facts.replicas
        facts.replicas = [:]
        for replica in database.partialReplicas {
            let place = StoreFacts.Place(echoed: replica.echoed, sent: replica.sent)
            let base = Revision(
                databaseID: database.databaseID, epoch: replica.baseEpoch,
                commit: replica.base.commit
            ).carrying(replica: replica.id)
            facts.replicas[replica.id] = .init(
                base: base, baseSize: replica.base.databaseSize,
                has: old[replica.id]?.has ?? replica.echoed, places: [place],
                lastUse: replica.lastUse)
        }
        facts.others = Set(fixture.store.names).subtracting([.default])
    }

    /// Life goes on after a crash: replicas are served, move, and take their history with them.
    func checkThatLifeGoesOn() throws {
        try commit("INSERT INTO t (v) SELECT randomblob(6000) FROM (VALUES (1), (2), (3))")
        try checkpoint(.truncate)
        try check()
        for id in ids {
            try pull(id, arrives: true)
            try pull(id, arrives: false)
        }
        try commit("UPDATE t SET v = randomblob(length(v))")
        for id in ids { try read(id) }
        try check()
        for id in ids { try drop(id) }
        try commit("INSERT INTO t (v) VALUES (1)")
        // A new generation begins at the newest commit, and needs nothing of before.
        if try database().frameGeneration != nil { try roll() }
        try checkpoint(.passive)
        let bytes = try database().statistics().historyBytes
        try require(bytes < 64, "\(bytes) bytes of history that nobody needs")
    }
}

// MARK: random steps

extension StoreWorld {
    func randomStep(_ generator: inout SeededGenerator) throws {
        let id = ids.randomElement(using: &generator)
        advance(seconds: Int64(generator.number(0...600)))
        switch (generator.number(0...27), id) {
        case (0..<10, _), (10..<24, nil): try commit(Self.statement(&generator))
        case (10..<16, let id?): try pull(id, arrives: !generator.chance(3))
        case (16..<19, let id?): try read(id)
        case (19, let id?): try drop(id)
        case (20, _): advance(seconds: Int64(generator.number(1...20) * 86400))
        case (21, _) where generator.chance(2): try reopen()
        case (22, _): try fixture.replaceWriter()
        case (23...25, _):
            try checkpoint(CheckpointMode.allCases[generator.number(0...3)])
        default: _ = try beginReplica()
        }
    }

    static func statement(_ generator: inout SeededGenerator) -> String {
        let size = generator.number(1...6000)
        switch generator.number(0...13) {
        case 0: return "DELETE FROM t WHERE id % \(generator.number(2...5)) <> 0"
        case 1: return "VACUUM"
        case 2: return "CREATE TABLE IF NOT EXISTS u\(generator.number(0...3)) (a UNIQUE, b)"
        case 3: return "DROP TABLE IF EXISTS u\(generator.number(0...3))"
        case 4:
            return "UPDATE t SET v = zeroblob(\(size)) WHERE id % 4 = \(generator.number(0...3))"
        case 5: return "DELETE FROM t WHERE id > (SELECT max(id) / 2 FROM t)"
        case 6:
            return "INSERT INTO t (v) VALUES (randomblob(\(size * 5))); SAVEPOINT s; "
                + "DELETE FROM t; ROLLBACK TO s; UPDATE t SET v = \(size) WHERE id % 7 = 1"
        default:
            return "INSERT INTO t (v) VALUES (randomblob(\(size))), (randomblob(\(size / 3))), (1)"
        }
    }
}
