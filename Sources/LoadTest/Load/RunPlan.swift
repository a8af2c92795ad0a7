package import Synchronization

/// One run: how operations begin, and when it ends. Times are nanoseconds of the monotonic clock.
package struct RunPlan: Sendable {
    package enum Pace: Sendable, Equatable {
        /// Each client begins its next operation when the one before is done.
        case closed
        /// Operations a second, over all clients.
        case open(rate: Double)
    }

    package var pace = Pace.closed
    /// When the first operations begin.
    package var start: UInt64 = 0
    /// Operations that are due, or begin, from here on are counted.
    package var measuredFrom: UInt64 = 0
    /// No operation begins from here on. Far away, if the count ends the run.
    package var end = UInt64.max
    /// Counted operations that may still begin; nil without a limit.
    package var tickets: RunTickets?
    package var timeoutNanoseconds: UInt64 = 60_000_000_000

    package init() {}
}

/// The operations that a run of a given count has left, for all threads.
package final class RunTickets: Sendable {
    private let remaining: Atomic<Int>

    package init(_ count: Int) { remaining = Atomic(count) }

    /// False if none is left.
    package func take() -> Bool {
        remaining.subtract(1, ordering: .relaxed).newValue >= 0
    }
}

/// What all threads have done so far, for the progress line.
package final class LiveCounters: Sendable {
    package let operations = Atomic<Int>(0)
    package let failures = Atomic<Int>(0)
    package let bytes = Atomic<Int>(0)

    package init() {}
}
