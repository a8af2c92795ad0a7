package import Primitives

/// The replicas of one database, and which of them changed since they were written down. Pure.
package struct ReplicaTable {
    /// Seconds between two records of a replica that is only used.
    static let recordInterval: Int64 = 3600
    /// How long one that has all pages is remembered, in seconds since its last use: forgotten,
    /// it would be sent all pages once more.
    static let fullRetention: Int64 = 365 * 86400

    package private(set) var replicas: [ReplicaID: Replica] = [:]
    private var recordedUse: [ReplicaID: Int64] = [:]
    /// Changed or removed since the last `takeChanges`.
    private var changed: Set<ReplicaID> = []

    package init() {}

    package subscript(id: ReplicaID) -> Replica? { replicas[id] }

    /// One whose base can be asked for.
    package var hasPartial: Bool { replicas.values.contains { !$0.isFull } }
    package var partialCount: Int { replicas.values.count { !$0.isFull } }

    /// What the log says, at opening.
    mutating func restore(_ all: [Replica]) {
        for replica in all {
            replicas[replica.id] = replica
            recordedUse[replica.id] = replica.lastUse
        }
    }

    /// Leaves out what the log says; that is to be written down.
    mutating func forget(_ id: ReplicaID) { changed.insert(id) }

    /// Adds or changes a replica; it is to be written down.
    mutating func set(_ replica: Replica) {
        replicas[replica.id] = replica
        changed.insert(replica.id)
    }

    mutating func remove(_ id: ReplicaID) -> Replica? {
        guard let replica = replicas.removeValue(forKey: id) else { return nil }
        recordedUse[id] = nil
        changed.insert(id)
        return replica
    }

    /// Notes that a replica was used. True if that has to be written down now.
    mutating func use(_ id: ReplicaID, now: Int64) -> Bool {
        guard let replica = replicas[id], now > replica.lastUse else { return false }
        replicas[id]?.lastUse = now
        guard now - recordedUse[id, default: 0] >= Self.recordInterval else { return false }
        changed.insert(id)
        return true
    }

    /// Changes what is only known in memory.
    mutating func setCoverage(_ coverage: PageCoverage?, of id: ReplicaID) {
        replicas[id]?.coverage = coverage
    }

    /// What has to be written down: replicas as they are now, nil for removed ones.
    package mutating func takeChanges() -> [ReplicaID: Replica?] {
        defer { changed = [] }
        var changes: [ReplicaID: Replica?] = [:]
        for id in changed {
            changes[id] = .some(replicas[id])
            recordedUse[id] = replicas[id]?.lastUse
        }
        return changes
    }

    /// They could not be written down.
    package mutating func returnChanges(_ ids: some Sequence<ReplicaID>) { changed.formUnion(ids) }

    /// Replicas that were not used for `retention` seconds, or much longer if they are full.
    func expired(now: Int64, retention: Int64) -> [ReplicaID] {
        replicas.values.filter {
            now - $0.lastUse > ($0.isFull ? max(retention, Self.fullRetention) : retention)
        }.map(\.id)
    }
}
