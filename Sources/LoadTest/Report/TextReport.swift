/// The result as lines for a terminal.
package enum TextReport {
    package static func text(_ result: BenchResult) -> String {
        var lines = ["\(result.workload) on \(result.target)"]
        lines.append(result.parameters.map { "\($0.name)=\($0.value)" }.joined(separator: " "))
        lines.append("")
        lines.append(header)
        for (index, run) in result.runs.enumerated() {
            lines.append(row("run \(index + 1)", run, run.latency, run.operations, run.bytes))
            for kind in run.kinds where run.kinds.count > 1 {
                lines.append(
                    row("  \(kind.name)", run, kind.latency, kind.operations, kind.bytes))
            }
        }
        if result.runs.count > 1 { lines += spread(result.runs) }
        lines.append("")
        lines += result.runs.last.map(resources) ?? []
        lines += failures(result.runs)
        lines += result.verified.map { "verified: \($0)" }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let columns = [
        "operations", "per second", "bytes/s", "p50", "p90", "p99", "p99.9", "max", "failed",
    ]

    private static var header: String {
        Format.left("", 14) + columns.map { Format.right($0, 12) }.joined()
    }

    private static func row(
        _ name: String, _ run: RunSummary, _ latency: RunSummary.Latency, _ operations: Int,
        _ bytes: Int
    ) -> String {
        let seconds = max(run.elapsedSeconds, 1e-9)
        let isWhole = operations == run.operations
        let cells = [
            Format.grouped(operations), Format.short(Double(operations) / seconds),
            Format.size(Double(bytes) / seconds), Format.time(latency.p50),
            Format.time(latency.p90), Format.time(latency.p99), Format.time(latency.p999),
            Format.time(latency.maximum), isWhole ? Format.grouped(run.failures) : "",
        ]
        return Format.left(name, 14) + cells.map { Format.right($0, 12) }.joined()
    }

    /// Mean and standard deviation over the runs.
    private static func spread(_ runs: [RunSummary]) -> [String] {
        Metric.all(in: runs).map { metric in
            let summary = SampleSummary(runs.compactMap(metric.value))
            return "\(Format.left(metric.name, 26)) \(metric.format(summary.mean)) "
                + "+- \(metric.format(summary.standardDeviation)) over \(summary.count) runs"
        }
    }

    private static func resources(_ run: RunSummary) -> [String] {
        var lines: [String] = []
        if let server = run.server, let each = run.serverMicrosecondsPerOperation {
            lines.append(
                "server: \(Format.short(server.cpuSeconds)) s of processor time, "
                    + "\(Format.time(each)) an operation; memory "
                    + "\(Format.size(Double(server.residentSize))), at most "
                    + Format.size(Double(server.peakSize)))
        }
        lines.append(
            "client: \(Format.short(run.clientCPUSeconds)) s of processor time, "
                + "\(Format.time(run.clientMicrosecondsPerOperation)) an operation")
        if let lateness = run.generatorLateness {
            lines.append("client: operations were sent up to \(Format.time(lateness)) late (p99)")
        }
        lines += run.extras.map { "\($0.name): \(Format.short($0.value))" }
        return lines
    }

    private static func failures(_ runs: [RunSummary]) -> [String] {
        runs.enumerated().flatMap { index, run in
            run.failureTexts.map { "failed in run \(index + 1): \($0.value) x \($0.name)" }
        }
    }
}
