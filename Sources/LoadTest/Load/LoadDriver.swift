internal import HTTP
internal import Synchronization
internal import Transport

/// The virtual clients of one thread, and the pace at which they work.
///
/// All of it happens on the loop's thread; what other threads may call says so.
/// `@unchecked Sendable` for that reason.
package final class LoadDriver: RunDriver, @unchecked Sendable {
    private static let connectionsPerMillisecond = 64
    private static let restNanoseconds: UInt64 = 20_000_000
    private static let timeoutCheckNanoseconds: UInt64 = 250_000_000

    private let loop: EventLoop
    private let live: LiveCounters
    private let context: DriverContext
    private let workload: any Workload
    private var plan = RunPlan()
    private var clients: [LoadClient] = []
    private var recorder: Recorder
    private var schedule: OpenLoopSchedule?
    /// Operations of an open loop that were due when no client was free.
    private var backlog = Backlog()
    private var freeClients: [LoadClient] = []
    private var busyCount = 0
    private var isEnding = false
    private var hasEnded = false
    private var completion: (@Sendable (Recorder) -> Void)?

    package init(_ context: DriverContext, workload: any Workload) {
        self.context = context
        self.workload = workload
        loop = context.loop
        live = context.live
        recorder = Recorder(kinds: workload.kinds)
    }

    package func load(completion: @escaping @Sendable () -> Void) {
        loop.post { [self] in
            clients = context.ownClients.map { client, database in
                LoadClient(
                    session: workload.makeSession(client: client, database: database),
                    driver: self, loop: loop, address: database.address)
            }
            freeClients = clients.reversed()
            completion()
        }
    }

    package func run(_ plan: RunPlan, completion: @escaping @Sendable (Recorder) -> Void) {
        loop.post { [self] in
            self.plan = plan
            self.completion = completion
            if case .open(let rate) = plan.pace {
                schedule = OpenLoopSchedule(
                    start: plan.start, rate: rate, offset: context.thread, stride: context.threads)
            }
            at(plan.start) { self.begin() }
        }
    }

    private func at(_ time: UInt64, _ action: @escaping () -> Void) {
        _ = loop.schedule(at: time, action)
    }

    // MARK: Pace

    private func begin() {
        if plan.end < .max { at(plan.end) { self.end() } }
        scheduleTimeoutCheck()
        guard schedule == nil else { return beginDue() }
        // Not all at once: connections beyond a listener's backlog would wait for a second.
        for (index, client) in clients.enumerated() {
            let delay = UInt64(index / Self.connectionsPerMillisecond) * 1_000_000
            if delay == 0 {
                beginNext(client)
            } else {
                at(plan.start + delay) { if client.state == .idle { self.beginNext(client) } }
            }
        }
    }

    private func end() {
        isEnding = true
        endIfIdle()
    }

    /// Closed loop: the client's next operation, if there is to be one.
    private func beginNext(_ client: LoadClient) {
        let now = EventLoop.monotonicTime()
        guard !hasEnded, !isEnding, now < plan.end else { return end() }
        let isCounted = now >= plan.measuredFrom
        if isCounted, let tickets = plan.tickets, !tickets.take() { return end() }
        begin(client, dueAt: now, isCounted: isCounted)
    }

    private func begin(_ client: LoadClient, dueAt: UInt64, isCounted: Bool) {
        busyCount += 1
        client.begin(dueAt: dueAt, isCounted: isCounted)
    }

    /// Open loop: all operations whose time has come.
    private func beginDue() {
        guard !isEnding, !hasEnded else { return }
        let now = EventLoop.monotonicTime()
        while let time = schedule?.take(now: now) {
            guard time < plan.end else { return end() }
            let isCounted = time >= plan.measuredFrom
            if isCounted, let tickets = plan.tickets, !tickets.take() { return end() }
            guard let client = freeClients.popLast() else {
                backlog.append(time)
                continue
            }
            if isCounted { recorder.lateness.record(EventLoop.monotonicTime() - time) }
            begin(client, dueAt: time, isCounted: isCounted)
        }
        if let next = schedule?.nextTime { at(next) { self.beginDue() } }
    }

    private func clientIsFree(_ client: LoadClient) {
        guard schedule != nil else {
            return isEnding ? endIfIdle() : beginNext(client)
        }
        if let time = backlog.popFirst() {
            begin(client, dueAt: time, isCounted: time >= plan.measuredFrom)
        } else {
            freeClients.append(client)
            if isEnding { endIfIdle() }
        }
    }

    // MARK: What clients report

    func clientCompleted(_ client: LoadClient, kind: Int, bytes: Int) {
        busyCount -= 1
        live.operations.add(1, ordering: .relaxed)
        live.bytes.add(bytes, ordering: .relaxed)
        if client.isCounted {
            recorder.record(
                kind: kind, from: client.dueAt, to: EventLoop.monotonicTime(),
                origin: plan.measuredFrom, bytes: bytes)
        }
        clientIsFree(client)
    }

    func clientFailed(_ client: LoadClient, _ failure: ClientFailure) {
        busyCount -= 1
        live.failures.add(1, ordering: .relaxed)
        // Failures while warming up are failures, too.
        recorder.recordFailure(failure.description)
        guard !isEnding else { return endIfIdle() }
        at(EventLoop.monotonicTime() + Self.restNanoseconds) {
            client.rested()
            guard !self.hasEnded else { return }
            self.clientIsFree(client)
        }
    }

    // MARK: The end

    private func scheduleTimeoutCheck() {
        at(EventLoop.monotonicTime() + Self.timeoutCheckNanoseconds) { [self] in
            guard !hasEnded else { return }
            let now = EventLoop.monotonicTime()
            for client in clients
            where client.state == .busy && now > client.sentAt + plan.timeoutNanoseconds {
                client.timeOut()
            }
            if isEnding { endIfIdle() }
            scheduleTimeoutCheck()
        }
    }

    private func endIfIdle() {
        guard !hasEnded, busyCount == 0 else { return }
        hasEnded = true
        while backlog.popFirst() != nil { recorder.recordFailure("never sent: no client was free") }
        for client in clients { client.close() }
        completion?(recorder)
        completion = nil
        clients = []
        freeClients = []
    }
}
