/// Why a SQL request has no answer of its own.
package enum PipelineRunnerError: Error {
    /// Run the request again, from its start, on the writer.
    case needsWriter
    /// The storage could not be made ready for a write, or a refused change could not be recorded.
    /// Nothing of the transaction took effect.
    case storage(any Error)

    /// For clients: holds neither paths nor SQL.
    package var message: String {
        switch self {
        case .needsWriter: "the statement writes"
        case .storage: "the database could not be written"
        }
    }
}
