internal import HTTP
internal import Synchronization
internal import Transport

/// Waiters on all databases, and a commit to one of them after the other: each when the waiters
/// of the one before are back on their posts.
///
/// Times are those at which the loop was told that there was something to read: with a thousand
/// clients woken at once, the last would otherwise be charged for our work on all others.
///
/// `@unchecked Sendable`: loop's thread only, where nothing else is said.
final class LongPollDriver: RunDriver, HTTPClientOwner, @unchecked Sendable {
    private static let connectionsPerMillisecond = 50
    private static let restNanoseconds: UInt64 = 20_000_000
    /// For the waiters' requests to arrive and to be held, before the next commit: a time for
    /// all, and one for each.
    private static let settlingNanoseconds: UInt64 = 20_000_000
    private static let settlingNanosecondsEach: UInt64 = 200_000

    private let context: DriverContext
    private let workload: LongPollWorkload
    private let loop: EventLoop
    private let interval: UInt64
    private var plan = RunPlan()
    private var recorder: Recorder
    private var waiters: [[LongPollWaiter]] = []
    private var writers: [any ClientSession] = []
    private var round = LongPollRound(waiters: 0)
    private var roundNumber = 0
    private var roundStart: UInt64 = 0
    private var isCommitting = false
    private var hasEnded = false
    private var writerConnections: [HTTPClientConnection] = []
    private var completion: (@Sendable (Recorder) -> Void)?

    init(_ context: DriverContext, workload: LongPollWorkload, interval: Duration) {
        self.context = context
        self.workload = workload
        self.interval = interval.nanoseconds
        loop = context.loop
        recorder = Recorder(kinds: workload.kinds)
    }

    func load(completion: @escaping @Sendable () -> Void) {
        loop.post { [self] in
            waiters = [[LongPollWaiter]](repeating: [], count: context.databases.count)
            for (_, database) in context.ownClients {
                waiters[database.number].append(
                    LongPollWaiter(
                        database: database, revision: workload.revision(of: database),
                        driver: self, loop: loop))
            }
            writers = context.databases.map { workload.makeSession(client: 0, database: $0) }
            writerConnections = context.databases.map {
                HTTPClientConnection(loop: loop, address: $0.address, owner: self)
            }
            completion()
        }
    }

    func run(_ plan: RunPlan, completion: @escaping @Sendable (Recorder) -> Void) {
        loop.post { [self] in
            self.plan = plan
            self.completion = completion
            // Not all at once: more connections than the kernel queues for a listener would
            // wait for a second.
            var time = plan.start
            for (index, waiter) in waiters.joined().enumerated() {
                if index % Self.connectionsPerMillisecond == 0 { time += 1_000_000 }
                at(time) { if !self.hasEnded { waiter.poll() } }
            }
            at(time + settling) { self.beginRound() }
        }
    }

    private var settling: UInt64 {
        let each = UInt64(waiters.joined().count) * Self.settlingNanosecondsEach
        return max(interval, Self.settlingNanoseconds + each)
    }

    private func at(_ time: UInt64, _ action: @escaping () -> Void) {
        _ = loop.schedule(at: time, action)
    }

    // MARK: Rounds

    private var database: BenchDatabase { context.databases[roundNumber % waiters.count] }
    private var writer: HTTPClientConnection { writerConnections[database.number] }
    private var isCounted: Bool { roundStart >= plan.measuredFrom }

    private func beginRound() {
        let now = EventLoop.monotonicTime()
        guard now < plan.end, takeTicket(now) else { return end() }
        roundStart = now
        let group = waiters[database.number]
        for waiter in group { waiter.isMissing = true }
        round = LongPollRound(waiters: group.count)
        isCommitting = true
        let number = roundNumber
        at(now + plan.timeoutNanoseconds) {
            if number == self.roundNumber { self.giveUpRound() }
        }
        writer.send(writers[database.number].nextRequest())
    }

    private func takeTicket(_ now: UInt64) -> Bool {
        guard now >= plan.measuredFrom, let tickets = plan.tickets else { return true }
        return tickets.take()
    }

    private func endRoundIfComplete() {
        guard round.isComplete, !isCommitting, !hasEnded else { return }
        nextRound()
    }

    private func nextRound() {
        for waiter in waiters[database.number] where waiter.isAwake { waiter.poll() }
        roundNumber += 1
        let number = roundNumber
        at(EventLoop.monotonicTime() + settling) {
            if number == self.roundNumber { self.beginRound() }
        }
    }

    private func giveUpRound() {
        guard !hasEnded else { return }
        for waiter in waiters[database.number] where waiter.isMissing {
            waiter.isMissing = false
            fail(.refused("not woken in time"))
        }
        if isCommitting {
            writer.close(reset: true)
            writers[database.number].fail()
            fail(.timedOut)
        }
        isCommitting = false
        nextRound()
    }

    private func fail(_ failure: ClientFailure) {
        context.live.failures.add(1, ordering: .relaxed)
        recorder.recordFailure(failure.description)
    }

    private func end() {
        guard !hasEnded else { return }
        hasEnded = true
        for connection in writerConnections { connection.close() }
        for waiter in waiters.joined() { waiter.close() }
        completion?(recorder)
        completion = nil
        waiters = []
    }

    // MARK: What waiters report

    func waiterWoke(_ waiter: LongPollWaiter, bytes: Int) {
        // Late from the round before, or woken by somebody else.
        guard waiter.isMissing else { return waiter.poll() }
        waiter.isMissing = false
        context.live.operations.add(1, ordering: .relaxed)
        context.live.bytes.add(bytes, ordering: .relaxed)
        if let time = round.wake(at: loop.now) { record(time, bytes: bytes) }
        endRoundIfComplete()
    }

    func waiterFailed(_ waiter: LongPollWaiter, _ failure: ClientFailure) {
        guard !hasEnded else { return }
        fail(failure)
        if waiter.isMissing {
            waiter.isMissing = false
            round.lose()
            endRoundIfComplete()
        }
        at(EventLoop.monotonicTime() + Self.restNanoseconds) {
            if !self.hasEnded { waiter.poll() }
        }
    }

    private func record(_ time: UInt64, bytes: Int) {
        guard isCounted, let acknowledgedAt = round.acknowledgedAt else { return }
        recorder.record(
            kind: LongPollWorkload.wakeUpKind, from: acknowledgedAt, to: acknowledgedAt + time,
            origin: plan.measuredFrom, bytes: bytes)
    }

    // MARK: The commit

    func connection(_ connection: HTTPClientConnection, received body: Span<UInt8>) {
        writers[database.number].receive(body)
    }

    func connection(_ connection: HTTPClientConnection, finished head: HTTPResponseHead) {
        guard isCommitting, connection === writer else { return }
        let now = loop.now
        guard head.status == 200, case .completed = writers[database.number].finish(head) else {
            return commitFailed(.refused("the push was answered with an error"))
        }
        isCommitting = false
        if isCounted {
            recorder.record(
                kind: LongPollWorkload.commitKind, from: roundStart, to: now,
                origin: plan.measuredFrom, bytes: connection.bodySize)
        }
        for time in round.acknowledge(at: now) { record(time, bytes: 0) }
        endRoundIfComplete()
    }

    func connection(_ connection: HTTPClientConnection, failed failure: ClientFailure) {
        guard isCommitting, connection === writer else { return }
        commitFailed(failure)
    }

    private func commitFailed(_ failure: ClientFailure) {
        writers[database.number].fail()
        isCommitting = false
        fail(failure)
        nextRound()
    }
}
