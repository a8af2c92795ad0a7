/// What a stream keeps from one request to the next.
package struct StreamState: Sendable {
    package enum Transaction: Sendable {
        case none
        /// Of the client's transaction nothing was carried out but its BEGIN, so it needs no
        /// connection yet: the next request begins it anew.
        case begun
        /// It is open on the connection that writes, which is this stream's until it ends.
        case open(ConnectionState)
    }

    /// What a connection must get back, or be replaced for, when a transaction on it ends.
    package struct ConnectionState: Sendable {
        let foreignKeys: Bool
        let isDirty: Bool
    }

    var stored: StoredSQL
    /// As the client set `PRAGMA foreign_keys`; nil if it is as on every connection.
    var foreignKeys: Bool?
    package internal(set) var transaction = Transaction.none

    /// Of a stream that begins.
    package init(limits: SQLLimits) { stored = StoredSQL(limits: limits) }

    /// Whether the transaction is open on a connection.
    package var isOpen: Bool {
        if case .open = transaction { true } else { false }
    }

    /// A stream without any of this is not worth a baton.
    var isWorthKeeping: Bool {
        if case .none = transaction { return !stored.isEmpty || foreignKeys != nil }
        return true
    }
}
