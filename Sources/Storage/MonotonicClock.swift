internal import Dispatch

/// How storage tells the time and waits. Tests put in their own, so that none has to sleep.
package struct MonotonicClock: Sendable {
    package var now: @Sendable () -> ContinuousClock.Instant
    /// Calls the closure once, so long from now, on any thread; the closure does not block.
    package var after: @Sendable (Duration, @escaping @Sendable () -> Void) -> Void

    package init(
        now: @escaping @Sendable () -> ContinuousClock.Instant,
        after: @escaping @Sendable (Duration, @escaping @Sendable () -> Void) -> Void
    ) {
        self.now = now
        self.after = after
    }

    package static let system = MonotonicClock(
        now: { .now },
        after: { delay, action in
            let (seconds, attoseconds) = delay.components
            let wait = Double(seconds) + Double(attoseconds) / 1e18
            timers.asyncAfter(deadline: .now() + wait, execute: action)
        })

    /// Not a global queue: those have a manager that wakes every second for as long as a timer is
    /// set, and an idle server must not.
    private static let timers = DispatchQueue(label: "tidemark.timers")
}
