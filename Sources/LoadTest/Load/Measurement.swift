internal import Dispatch
internal import Glibc
internal import Synchronization
internal import Transport

/// One run of a workload: threads, clients, and what the machine says before and after.
package struct Measurement {
    /// Large bodies come in few reads; twice a core's second cache would be slower.
    private static let readBufferSize = 512 * 1024

    package let workload: any Workload
    package let environment: BenchEnvironment
    package let settings: BenchSettings
    /// Called about once a second, with what was done so far.
    package let progress: (RunProgress) -> Void

    /// Blocks until all operations are done.
    package func run() throws(BenchError) -> RunSummary {
        let live = LiveCounters()
        let loops = try makeLoops()
        defer { for loop in loops { loop.stop() } }
        let drivers = loops.enumerated().map { index, loop in
            workload.makeDriver(
                DriverContext(
                    loop: loop, thread: index, threads: loops.count, clients: settings.clients,
                    databases: environment.databases, live: live))
        }
        load(drivers)
        for process in environment.serverProcesses { ProcessFigures.resetPeak(of: process) }
        let plan = makePlan()
        let merged = Mutex(Recorder(kinds: workload.kinds))
        let isDone = DispatchSemaphore(value: 0)
        for driver in drivers {
            driver.run(plan) { recorder in
                merged.withLock { $0.merge(recorder) }
                isDone.signal()
            }
        }
        let before = waitUntilMeasuring(plan, live)
        wait(for: drivers.count, isDone, plan, live)
        let after = Usage(environment.serverProcesses)
        let recorder = merged.withLock { $0 }
        let end = plan.end == .max ? recorder.lastEnd : max(recorder.lastEnd, plan.end)
        let elapsed = end > plan.measuredFrom ? end - plan.measuredFrom : 0
        var summary = RunSummary(recorder, elapsed: elapsed)
        summary.clientCPUSeconds = Double(after.client - before.client) / 1e9
        if let first = before.server, let last = after.server {
            summary.server = .init(
                cpuSeconds: Double(last.cpuTime - first.cpuTime) / 1e9,
                residentSize: last.residentSize, peakSize: last.peakSize)
        }
        summary.extras = workload.extras(summary)
        return summary
    }

    private func makeLoops() throws(BenchError) -> [EventLoop] {
        var loops: [EventLoop] = []
        for index in 0..<settings.threads {
            do throws(TransportError) {
                let loop = try EventLoop(
                    readBufferSize: Self.readBufferSize, hasFineTimers: true)
                loop.start(name: "bench-\(index)")
                loops.append(loop)
            } catch {
                for loop in loops { loop.stop() }
                throw .file("\(error)")
            }
        }
        return loops
    }

    private func load(_ drivers: [any RunDriver]) {
        let areLoaded = DispatchSemaphore(value: 0)
        for driver in drivers { driver.load { areLoaded.signal() } }
        for _ in drivers { areLoaded.wait() }
    }

    private func makePlan() -> RunPlan {
        var plan = RunPlan()
        if settings.rate > 0 { plan.pace = .open(rate: Double(settings.rate)) }
        // Time to tell all threads.
        plan.start = EventLoop.monotonicTime() + 5_000_000
        plan.measuredFrom = plan.start + settings.warmUp.nanoseconds
        if settings.count > 0 {
            plan.tickets = RunTickets(settings.count)
        } else {
            plan.end = plan.measuredFrom + settings.duration.nanoseconds
        }
        plan.timeoutNanoseconds = settings.timeout.nanoseconds
        return plan
    }

    // MARK: Waiting

    /// Processor time of both sides.
    private struct Usage {
        let client: UInt64
        let server: ProcessFigures?

        init(_ serverProcesses: [Int32]) {
            client = ProcessFigures(processIdentifier: getpid())?.cpuTime ?? 0
            server = ProcessFigures.sum(serverProcesses)
        }
    }

    private func waitUntilMeasuring(_ plan: RunPlan, _ live: LiveCounters) -> Usage {
        while true {
            let now = EventLoop.monotonicTime()
            guard now < plan.measuredFrom else { return Usage(environment.serverProcesses) }
            let rest = min(plan.measuredFrom - now, 1_000_000_000)
            var time = timespec(
                tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
            unsafe nanosleep(&time, nil)
            report(plan, live)
        }
    }

    private func wait(
        for count: Int, _ isDone: DispatchSemaphore, _ plan: RunPlan, _ live: LiveCounters
    ) {
        var missing = count
        while missing > 0 {
            if isDone.wait(timeout: .now() + .seconds(1)) == .success {
                missing -= 1
            } else {
                report(plan, live)
            }
        }
    }

    private func report(_ plan: RunPlan, _ live: LiveCounters) {
        let now = EventLoop.monotonicTime()
        progress(
            RunProgress(
                seconds: Double(now - min(now, plan.start)) / 1e9,
                isWarmingUp: now < plan.measuredFrom,
                operations: live.operations.load(ordering: .relaxed),
                failures: live.failures.load(ordering: .relaxed),
                bytes: live.bytes.load(ordering: .relaxed)))
    }
}

/// What a run has done so far.
package struct RunProgress: Sendable, Equatable {
    package var seconds: Double
    package var isWarmingUp: Bool
    package var operations: Int
    package var failures: Int
    package var bytes: Int
}

extension Duration {
    /// At least 0.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
