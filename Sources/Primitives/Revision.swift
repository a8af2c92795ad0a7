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
        let text = String(text)
        let digits = text.utf8Span.span
        var offset = 0
        guard let value = Hexadecimal.readNumber(1...16, in: digits, at: &offset),
            offset == digits.count
        else { return nil }
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
        let text = wire.utf8Span.span
        var offset = 0
        guard Self.skip("tm1.", in: text, at: &offset),
            let high = Hexadecimal.readNumber(16...16, in: text, at: &offset),
            let low = Hexadecimal.readNumber(16...16, in: text, at: &offset),
            Self.skip(".", in: text, at: &offset),
            let epoch = Hexadecimal.readNumber(16...16, in: text, at: &offset),
            Self.skip(".", in: text, at: &offset),
            let commit = Hexadecimal.readNumber(1...16, in: text, at: &offset)
        else { return nil }
        var replica: ReplicaID?
        if offset < text.count {
            guard Self.skip(".", in: text, at: &offset),
                let id = Hexadecimal.readNumber(1...16, in: text, at: &offset),
                offset == text.count
            else { return nil }
            replica = ReplicaID(id)
        }
        self.init(
            databaseID: DatabaseID(high: high, low: low), epoch: Epoch(epoch),
            commit: CommitNumber(commit), replica: replica)
    }

    private static func skip(
        _ expected: StaticString, in text: Span<UInt8>, at offset: inout Int
    ) -> Bool {
        let end = offset + expected.utf8CodeUnitCount
        guard end <= text.count else { return false }
        let isThere = expected.withUTF8Buffer { bytes in
            bytes.indices.allSatisfy { unsafe text[offset + $0] == bytes[$0] }
        }
        if isThere { offset = end }
        return isThere
    }

    package var wire: String {
        unsafe String(unsafeUninitializedCapacity: Self.maximumWireSize) { buffer in
            var text = unsafe OutputSpan(buffer: buffer, initializedCount: 0)
            appendWire(to: &text)
            return unsafe text.finalize(for: buffer)
        }
    }

    private func appendWire(to text: inout OutputSpan<UInt8>) {
        let dot = UInt8(ascii: ".")
        for byte in "tm1.".utf8 { text.append(byte) }
        Hexadecimal.append(databaseID.high, digits: 16, to: &text)
        Hexadecimal.append(databaseID.low, digits: 16, to: &text)
        text.append(dot)
        Hexadecimal.append(epoch.rawValue, digits: 16, to: &text)
        text.append(dot)
        Hexadecimal.append(commit.rawValue, to: &text)
        if let replica {
            text.append(dot)
            Hexadecimal.append(replica.rawValue, to: &text)
        }
    }

    private static let maximumWireSize = 4 + 32 + 3 + 3 * 16

    package func carrying(replica: ReplicaID?) -> Revision {
        Revision(databaseID: databaseID, epoch: epoch, commit: commit, replica: replica)
    }
}
