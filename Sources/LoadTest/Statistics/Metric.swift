/// A figure that runs are compared by.
package struct Metric: Sendable {
    package let name: String
    package let higherIsBetter: Bool
    package let value: @Sendable (RunSummary) -> Double?
    package let format: @Sendable (Double) -> String

    private static let everything: [Metric] = [
        Metric(
            name: "operations per second", higherIsBetter: true, value: { $0.rate },
            format: Format.short),
        Metric(
            name: "bytes per second", higherIsBetter: true, value: { $0.byteRate },
            format: { Format.size($0) + "/s" }),
        Metric(
            name: "latency p50", higherIsBetter: false, value: { $0.latency.p50 },
            format: Format.time),
        Metric(
            name: "latency p99", higherIsBetter: false, value: { $0.latency.p99 },
            format: Format.time),
        Metric(
            name: "latency mean", higherIsBetter: false, value: { $0.latency.mean },
            format: Format.time),
        Metric(
            name: "server CPU an operation", higherIsBetter: false,
            value: { $0.serverMicrosecondsPerOperation }, format: Format.time),
        Metric(
            name: "server memory, peak", higherIsBetter: false,
            value: { $0.server.map { Double($0.peakSize) } }, format: Format.size),
        Metric(
            name: "client CPU an operation", higherIsBetter: false,
            value: { $0.clientMicrosecondsPerOperation }, format: Format.time),
    ]

    /// Those that every one of these runs has.
    package static func all(in runs: [RunSummary]) -> [Metric] {
        everything.filter { metric in runs.allSatisfy { metric.value($0) != nil } }
    }
}
