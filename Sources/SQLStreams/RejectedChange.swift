package import Primitives
package import WireProtocol

/// One change of a push that the database refused, for example because of a UNIQUE constraint.
///
/// The client's next pull drops the row, so this record is all that is left of it.
package struct RejectedChange: Sendable, Equatable {
    /// Who pushed, and how far: from the push's own bookkeeping. Together with `stepIndex` they
    /// name the change for ever, so a push that is repeated records nothing twice.
    package let position: PushPosition
    /// The index of the step in its batch, counted from 0.
    package let stepIndex: Int
    package let sql: String
    package let arguments: [SQLValue]
    package let namedArguments: [WireProtocol.Statement.NamedArgument]
    package let failure: SQLFailure

    package init(
        position: PushPosition, stepIndex: Int, sql: String, arguments: [SQLValue],
        namedArguments: [WireProtocol.Statement.NamedArgument] = [], failure: SQLFailure
    ) {
        self.position = position
        self.stepIndex = stepIndex
        self.sql = sql
        self.arguments = arguments
        self.namedArguments = namedArguments
        self.failure = failure
    }
}

/// How far a client has pushed, as it stores it in `turso_sync_last_change_id`.
package struct PushPosition: Sendable, Hashable {
    package let clientID: String
    /// Counts the client's pulls.
    package let pullGeneration: Int64
    /// The last change of the push in the client's change log.
    package let changeID: Int64

    package init(clientID: String, pullGeneration: Int64, changeID: Int64) {
        self.clientID = clientID
        self.pullGeneration = pullGeneration
        self.changeID = changeID
    }
}
