/// Bounds on streams that go on over several requests.
package struct StreamLimits: Sendable {
    /// From the end of a request to the beginning of the next one.
    package var idleTime: Duration = .seconds(10)
    /// From the end of the request that began a transaction. One that runs when the time is over
    /// comes to its end.
    package var transactionTime: Duration = .seconds(300)
    package var streamsPerDatabase = 128
    package var streams = 1024

    package init() {}
}

/// Names a stream inside the server, for as long as it lives. Clients know batons only.
package struct StreamID: Hashable, Sendable {
    let rawValue: UInt64
}

/// Why a baton means nothing any more.
package enum StreamEnd: Equatable, Sendable {
    case idle(Duration)
    case transactionTooLong(Duration)
    /// The answer that it was used for had the next one; or the stream was closed.
    case used
    /// The database was closed: deleted, or after a write that failed.
    case databaseClosed
    case stopping
}

/// Why a request cannot go on with a stream, or what it left open cannot be kept.
package enum StreamFailure: Error, Equatable {
    /// Nil if nothing is known of the baton.
    case expired(StreamEnd?)
    /// Another request with the same baton runs.
    case busy
    case tooMany

    /// The stable code for clients.
    package var code: String {
        switch self {
        case .expired: "STREAM_EXPIRED"
        case .busy: "STREAM_BUSY"
        case .tooMany: "too_many_streams"
        }
    }

    /// For clients.
    package var message: String {
        switch self {
        case .expired(let end?): end.message
        case .expired(nil): "the stream has expired, or the baton is not valid"
        case .busy: "another request on this stream is still running"
        case .tooMany:
            "too many streams are open; what the request left open was rolled back; try again"
        }
    }
}

extension StreamEnd {
    fileprivate var message: String {
        switch self {
        case .idle(let limit):
            "the stream has expired: it was idle for longer than \(limit); its transaction, if it"
                + " had one, was rolled back"
        case .transactionTooLong(let limit):
            "the stream has expired: its transaction was open for longer than \(limit) and was"
                + " rolled back"
        case .used: "the stream has expired: this baton was used before"
        case .databaseClosed:
            "the stream has expired: the database was closed, and its transaction rolled back"
        case .stopping:
            "the stream has expired: the server is stopping, and rolled its transaction back"
        }
    }
}
