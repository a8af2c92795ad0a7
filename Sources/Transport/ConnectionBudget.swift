internal import Synchronization

/// How many connections of a listener are open, and how many may be. Read from any thread.
package final class ConnectionBudget: Sendable {
    private let maximum: Int
    private let openCount = Atomic<Int>(0)

    package init(maximum: Int) {
        precondition(maximum > 0)
        self.maximum = maximum
    }

    package var count: Int { openCount.load(ordering: .sequentiallyConsistent) }

    /// No further connection is accepted before one closes.
    package var isFull: Bool { count >= maximum }

    func opened() {
        openCount.add(1, ordering: .sequentiallyConsistent)
    }

    func closed() {
        let left = openCount.subtract(1, ordering: .sequentiallyConsistent).newValue
        precondition(left >= 0, "a connection was closed twice")
    }
}
