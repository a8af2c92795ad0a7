/// Why a SQL request has no answer of its own.
package enum PipelineRunnerError: Error {
    /// Run the request again, from its start, on the writer.
    case needsWriter
    /// A transaction was left open, and this server does not keep streams between requests. It is
    /// rolled back; what committed before it stays.
    case streamsUnsupported
    /// The request continues a stream that is not there.
    case batonUnknown
    /// The storage could not be made ready for a write, or a refused change could not be recorded.
    /// Nothing of the transaction took effect.
    case storage(any Error)

    /// The stable code for clients.
    package var code: String {
        switch self {
        case .needsWriter, .storage: "INTERNAL"
        case .streamsUnsupported: "STREAM_NOT_SUPPORTED"
        case .batonUnknown: "STREAM_EXPIRED"
        }
    }

    /// For clients: holds neither paths nor SQL.
    package var message: String {
        switch self {
        case .needsWriter: "the statement writes"
        case .streamsUnsupported:
            "the request left a transaction open, and streams that outlive a request are not"
                + " supported; the transaction was rolled back"
        case .batonUnknown: "the stream has expired, or the baton is not valid"
        case .storage: "the database could not be written"
        }
    }
}
