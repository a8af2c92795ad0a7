/// One thing in a database that the replicas' engine cannot hold, or holds with restrictions.
package struct ReplicaProblem: Hashable, Sendable, CustomStringConvertible {
    package enum Severity: Sendable {
        /// Every replica would be locked out.
        case fatal
        /// Replicas can open the database, but not do everything with it.
        case warning
    }

    package let severity: Severity
    /// What is wrong and why, for a person.
    package let description: String

    package init(_ severity: Severity, _ description: String) {
        self.severity = severity
        self.description = description
    }
}
