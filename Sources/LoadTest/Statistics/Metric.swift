/// A figure that runs are compared by.
package struct Metric: Sendable {
    package let name: String
    package let higherIsBetter: Bool
    /// The smallest change that is one, as a part of the figure.
    package var smallestPart = 0.01
    package let value: @Sendable (RunSummary) -> Double?
    package let format: @Sendable (Double) -> String

    /// Those that every one of these runs has; none without runs. Where a workload has several
    /// kinds of operations, each of them has its rate and latencies.
    package static func all(in runs: [RunSummary]) -> [Metric] {
        guard let first = runs.first else { return [] }
        let names = first.kinds.map(\.name)
        let own = names.count > 1 ? names.flatMap(kind) : rates + latencies
        return (own + resources).filter { metric in
            runs.allSatisfy { metric.value($0) != nil }
        }
    }

    private static let rates = [
        Metric(
            name: "operations per second", higherIsBetter: true, value: { $0.rate },
            format: Format.short),
        Metric(
            name: "bytes per second", higherIsBetter: true, value: { $0.byteRate },
            format: { Format.size($0) + "/s" }),
    ]

    private static let latencies = [
        Metric(
            name: "latency mean", higherIsBetter: false, value: { $0.latency.mean },
            format: Format.time),
        Metric(
            name: "latency p50", higherIsBetter: false, value: { $0.latency.p50 },
            format: Format.time),
        Metric(
            name: "latency p99", higherIsBetter: false, value: { $0.latency.p99 },
            format: Format.time),
    ]

    private static let resources = [
        Metric(
            name: "server CPU an operation", higherIsBetter: false,
            value: { $0.serverMicrosecondsPerOperation }, format: Format.time),
        Metric(
            // Runs of one process share its memory, so they show too little of the noise.
            name: "server memory, peak", higherIsBetter: false, smallestPart: 0.05,
            value: { $0.server.map { Double($0.peakSize) } }, format: Format.size),
        Metric(
            name: "client CPU an operation", higherIsBetter: false,
            value: { $0.clientMicrosecondsPerOperation }, format: Format.time),
    ]

    private static func kind(_ name: String) -> [Metric] {
        let find: @Sendable (RunSummary) -> RunSummary.Kind? = { run in
            run.kinds.first { $0.name == name && $0.operations > 0 }
        }
        return [
            Metric(
                name: "\(name) per second", higherIsBetter: true,
                value: { run in
                    find(run).map { Double($0.operations) / max(run.elapsedSeconds, 1e-9) }
                }, format: Format.short),
            Metric(
                name: "\(name) p50", higherIsBetter: false, value: { find($0)?.latency.p50 },
                format: Format.time),
            Metric(
                name: "\(name) p99", higherIsBetter: false, value: { find($0)?.latency.p99 },
                format: Format.time),
        ]
    }
}
