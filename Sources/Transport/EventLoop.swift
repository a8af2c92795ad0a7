internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization

/// One thread that waits for sockets and timers and runs what they are for.
///
/// The loop is one long-running block on a serial Dispatch queue of its own, blocked in
/// `epoll_wait`: the queue's thread is the loop. Everything the loop calls runs there and must not
/// block; other threads hand it work with `post`. A loop without timers and without traffic
/// sleeps and is not woken.
///
/// `@unchecked Sendable`: the variables belong to the loop's thread, except for `posted` and
/// `thread`, which synchronise themselves.
@safe package final class EventLoop: @unchecked Sendable {
    package typealias Job = @Sendable () -> Void

    private struct Posted {
        var jobs: [Job] = []
        /// The loop was told to look here, and has not yet.
        var isSignalled = false
        var hasEnded = false
    }

    /// A descriptor's place in `slots` is its number. The generation tells an event that was
    /// still queued for a closed descriptor from one for the next descriptor of that number.
    private struct Slot {
        var generation: UInt32 = 0
        var handler: (any EventHandler)?
    }

    private static let wakeUpToken = UInt64.max
    private static let eventsPerWait = 256
    /// Enough for nearly every request, and for a large body in few calls.
    package static let defaultReadBufferSize = 64 * 1024

    private let epoll: Int32
    private let wakeUp: Int32
    private let posted = Mutex(Posted())
    private let thread = Atomic<UInt>(0)
    private let running = DispatchGroup()
    private var slots: [Slot] = []
    private var timers = TimerHeap()
    private var isStopping = false
    private var hasOwnJobs = false
    private let hasFineTimers: Bool

    // SAFETY: lives from `init` to `deinit`; only the loop's thread touches it.
    /// Where sockets read to before their bytes are looked at; valid until the next read.
    let readBuffer: UnsafeMutableRawBufferPointer

    /// Nanoseconds of the monotonic clock, as of the last wake-up. Loop's thread only.
    package private(set) var now: UInt64

    /// - Parameters:
    ///   - readBufferSize: the most that one read of a socket takes, in bytes.
    ///   - hasFineTimers: timers fire to some microseconds instead of a millisecond, which wakes
    ///     the loop more often where there are many.
    package init(
        readBufferSize: Int = defaultReadBufferSize, hasFineTimers: Bool = false
    ) throws(TransportError) {
        self.hasFineTimers = hasFineTimers
        epoll = try SystemCall.makeEpoll()
        do throws(TransportError) {
            wakeUp = try SystemCall.makeEvent()
        } catch {
            SystemCall.close(epoll)
            throw error
        }
        unsafe readBuffer = .allocate(byteCount: readBufferSize, alignment: 16)
        now = SystemCall.monotonicTime()
        // Edge-triggered, so every write to the event is reported once, and it need not be read.
        try SystemCall.watch(
            wakeUp, events: EPOLLIN.rawValue | EPOLLET.rawValue, token: Self.wakeUpToken, in: epoll)
    }

    deinit {
        SystemCall.close(epoll)
        SystemCall.close(wakeUp)
        unsafe readBuffer.deallocate()
    }

    // MARK: From any thread

    /// Begins to run, on a thread of its own.
    package func start(name: String) {
        SystemCall.ignorePipeSignal()
        running.enter()
        DispatchQueue(label: "tidemark.\(name)", qos: .userInitiated).async {
            _ = unsafe clinux_set_thread_name(name)
            self.run()
            self.running.leave()
        }
    }

    /// Ends the loop after the jobs posted so far, and waits for that. Every socket must have been
    /// closed. Not from the loop's own thread.
    package func stop() {
        precondition(!isCurrent, "a loop cannot wait for itself")
        post { self.isStopping = true }
        running.wait()
    }

    /// True on the loop's thread.
    package var isCurrent: Bool { thread.load(ordering: .relaxed) == pthread_self() }

    /// Runs `job` on the loop's thread, behind the jobs posted before. False, and the job is
    /// dropped, if the loop has ended.
    @discardableResult
    package func post(_ job: @escaping Job) -> Bool {
        let isOwn = isCurrent
        let (accepted, signal) = posted.withLock { posted -> (Bool, Bool) in
            guard !posted.hasEnded else { return (false, false) }
            posted.jobs.append(job)
            guard !isOwn && !posted.isSignalled else { return (true, false) }
            posted.isSignalled = true
            return (true, true)
        }
        if isOwn { hasOwnJobs = true }
        if signal { SystemCall.signal(event: wakeUp) }
        return accepted
    }

    // MARK: From the loop's thread

    /// Runs `action` once, at `deadline` or soon after.
    package func schedule(
        at deadline: UInt64, _ action: @escaping () -> Void
    ) -> LoopTimer {
        assert(isCurrent)
        let timer = LoopTimer(deadline: deadline, action: action)
        timers.insert(timer)
        return timer
    }

    /// Does nothing if the timer has fired or was cancelled.
    package func cancel(_ timer: LoopTimer) {
        assert(isCurrent)
        timers.remove(timer)
    }

    /// Nanoseconds of the monotonic clock at the time of the call. From any thread.
    package static func monotonicTime() -> UInt64 { SystemCall.monotonicTime() }

    /// Whole seconds since 1970, for dates.
    package var wallClockSeconds: Int { SystemCall.wallClockSeconds() }

    /// - Parameter edgeTriggered: report a change once, instead of a state as long as it lasts.
    func watch(
        _ descriptor: Int32, for events: SocketEvents, edgeTriggered: Bool,
        handler: any EventHandler
    ) throws(TransportError) {
        let index = Int(descriptor)
        while slots.count <= index { slots.append(Slot()) }
        precondition(slots[index].handler == nil, "the descriptor is already watched")
        slots[index].generation &+= 1
        var mask = edgeTriggered ? EPOLLET.rawValue : 0
        if events.contains(.readable) { mask |= EPOLLIN.rawValue }
        if events.contains(.writable) { mask |= EPOLLOUT.rawValue }
        if events.contains(.peerFinished) { mask |= EPOLLRDHUP.rawValue }
        let token = UInt64(slots[index].generation) << 32 | UInt64(index)
        try SystemCall.watch(descriptor, events: mask, token: token, in: epoll)
        slots[index].handler = handler
    }

    /// Must be called before the descriptor is closed.
    func unwatch(_ descriptor: Int32) {
        precondition(slots[Int(descriptor)].handler != nil, "the descriptor is not watched")
        slots[Int(descriptor)].handler = nil
        SystemCall.unwatch(descriptor, in: epoll)
    }

    // MARK: The loop

    private func run() {
        thread.store(pthread_self(), ordering: .relaxed)
        if hasFineTimers { _ = clinux_set_timer_slack(1) }
        unsafe withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.eventsPerWait) {
            events in
            while !isStopping {
                let count =
                    hasFineTimers
                    ? unsafe SystemCall.wait(
                        in: epoll, events: events, nanoseconds: timeoutNanoseconds())
                    : unsafe SystemCall.wait(
                        in: epoll, events: events, milliseconds: timeoutMilliseconds())
                now = SystemCall.monotonicTime()
                for index in 0..<count { unsafe dispatch(events[index]) }
                runPostedJobs()
                while let timer = timers.popExpired(now: now) { timer.action() }
            }
        }
        endPosting()
    }

    private func timeoutMilliseconds() -> Int32 {
        if hasOwnJobs { return 0 }
        guard let deadline = timers.earliestDeadline else { return -1 }
        guard deadline > now else { return 0 }
        // Rounded up, or the loop would spin through the last millisecond.
        return Int32(min((deadline - now + 999_999) / 1_000_000, 1_000_000_000))
    }

    private func timeoutNanoseconds() -> UInt64? {
        if hasOwnJobs { return 0 }
        return timers.earliestDeadline.map { $0 > now ? $0 - now : 0 }
    }

    private func dispatch(_ event: epoll_event) {
        let token = unsafe event.data.u64
        guard token != Self.wakeUpToken else { return }
        let slot = slots[Int(token & 0xFFFF_FFFF)]
        guard slot.generation == UInt32(token >> 32), let handler = slot.handler else { return }
        var events: SocketEvents = []
        if unsafe event.events & EPOLLIN.rawValue != 0 { events.insert(.readable) }
        if unsafe event.events & EPOLLOUT.rawValue != 0 { events.insert(.writable) }
        if unsafe event.events & EPOLLRDHUP.rawValue != 0 { events.insert(.peerFinished) }
        if unsafe event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
            events.insert(.failed)
        }
        handler.handle(events)
    }

    private func runPostedJobs() {
        hasOwnJobs = false
        let jobs = posted.withLock { posted -> [Job] in
            posted.isSignalled = false
            guard !posted.jobs.isEmpty else { return [] }
            return exchange(&posted.jobs, with: [])
        }
        for job in jobs { job() }
    }

    /// After this `post` refuses, so no job is lost unseen.
    private func endPosting() {
        let jobs = posted.withLock { posted -> [Job] in
            posted.hasEnded = true
            return exchange(&posted.jobs, with: [])
        }
        for job in jobs { job() }
    }

    private func exchange<Value>(_ place: inout Value, with value: Value) -> Value {
        let old = place
        place = value
        return old
    }
}
