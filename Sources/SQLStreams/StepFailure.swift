internal import WireProtocol

/// How a statement ended that did not succeed, for those who must decide how to go on.
enum StepFailure: Error {
    /// The statement is at fault; it had no effect.
    case rejected(SQLFailure)
    /// The machine or a limit is: disk full, I/O error, no memory, interrupt. Its transaction
    /// cannot be trusted to be complete.
    case broken(SQLFailure)
    /// The statement may write, and this connection must not.
    case needsWriter
    /// The storage could not be made ready for a write.
    case storage(any Error)

    /// What the client gets; nil where the request as a whole ends instead.
    var failure: SQLFailure? {
        switch self {
        case .rejected(let failure), .broken(let failure): failure
        case .needsWriter, .storage: nil
        }
    }
}
