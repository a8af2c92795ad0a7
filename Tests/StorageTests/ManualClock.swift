import Storage
import Synchronization

/// A clock that moves when a test says so, and then runs what was due.
final class ManualClock: Sendable {
    private struct Timer {
        let due: ContinuousClock.Instant
        let action: @Sendable () -> Void
    }

    private struct State {
        var now = ContinuousClock.now
        var timers: [Timer] = []
    }

    private let state = Mutex(State())

    var clock: MonotonicClock {
        MonotonicClock(
            now: { self.state.withLock { $0.now } },
            after: { delay, action in
                self.state.withLock { $0.timers.append(Timer(due: $0.now + delay, action: action)) }
            })
    }

    var timerCount: Int { state.withLock { $0.timers.count } }

    func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.now += duration
            let now = state.now
            defer { state.timers.removeAll { $0.due <= now } }
            return state.timers.filter { $0.due <= now }
        }
        for timer in due { timer.action() }
    }
}
