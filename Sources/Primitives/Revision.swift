/// Names a database for ever: 128 random bits, made when the database is created, imported or
/// forked; kept by backups, restores and moves.
package struct DatabaseID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 32 lower-case hexadecimal digits.
    package var hexadecimal: String { Hexadecimal.encode(high) + Hexadecimal.encode(low) }
}

/// Names the process, and with it the copy of the data folder, that wrote a run of commits: 64
/// random bits. It tells two copies that went on separately apart, though both count commits on
/// from the same number.
package struct Epoch: Hashable, Sendable {
    package let rawValue: UInt64
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Counts the commits of one database; never reset. The state that a database is created with is
/// commit 1.
package struct CommitNumber: Hashable, Comparable, Sendable {
    package let rawValue: UInt64
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: CommitNumber, right: CommitNumber) -> Bool {
        left.rawValue < right.rawValue
    }
    package var next: CommitNumber { CommitNumber(rawValue + 1) }
}

/// Names a client that bootstrapped partially: 64 random bits.
package struct ReplicaID: Hashable, Sendable {
    package let rawValue: UInt64
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Up to 16 lower-case hexadecimal digits, as in a revision.
    package var hexadecimal: String { String(rawValue, radix: 16) }

    /// Reads `hexadecimal`; nil for anything else.
    package init?(hexadecimal text: some StringProtocol) {
        guard let value = Hexadecimal.decode(text.utf8[...]) else { return nil }
        rawValue = value
    }
}

/// One committed state of one database, as clients carry it.
///
/// On the wire, `tm1.<database id>.<epoch>.<commit>[.<replica id>]`: 32, 16 and up to 16
/// lower-case hexadecimal digits. Clients treat it as opaque and echo it. The replica id tells
/// partial replicas apart and takes no part in comparisons of states.
package struct Revision: Hashable, Sendable {
    package let databaseID: DatabaseID
    package let epoch: Epoch
    package let commit: CommitNumber
    package let replica: ReplicaID?

    package init(
        databaseID: DatabaseID, epoch: Epoch, commit: CommitNumber, replica: ReplicaID? = nil
    ) {
        self.databaseID = databaseID
        self.epoch = epoch
        self.commit = commit
        self.replica = replica
    }

    /// Reads the wire form; nil for anything that this server never wrote.
    package init?(wire: String) {
        let parts = wire.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 || parts.count == 5, parts[0].elementsEqual("tm1".utf8),
            parts[1].count == 32,
            let high = Hexadecimal.decode(parts[1].prefix(16)),
            let low = Hexadecimal.decode(parts[1].suffix(16)),
            parts[2].count == 16, let epoch = Hexadecimal.decode(parts[2]),
            let commit = Hexadecimal.decode(parts[3])
        else { return nil }
        var replica: ReplicaID?
        if parts.count == 5 {
            guard let decoded = Hexadecimal.decode(parts[4]) else { return nil }
            replica = ReplicaID(decoded)
        }
        self.init(
            databaseID: DatabaseID(high: high, low: low), epoch: Epoch(epoch),
            commit: CommitNumber(commit), replica: replica)
    }

    package var wire: String {
        var text = "tm1.\(databaseID.hexadecimal).\(Hexadecimal.encode(epoch.rawValue))."
        text += String(commit.rawValue, radix: 16)
        if let replica { text += "." + replica.hexadecimal }
        return text
    }

    package func carrying(replica: ReplicaID?) -> Revision {
        Revision(databaseID: databaseID, epoch: epoch, commit: commit, replica: replica)
    }
}
