/// Two results side by side.
package enum ComparisonReport {
    /// A figure that both results have.
    package struct Row: Sendable {
        package let metric: Metric
        package let comparison: Comparison
    }

    package static func rows(_ first: BenchResult, _ second: BenchResult) -> [Row] {
        let names = Set(Metric.all(in: second.runs).map(\.name))
        return Metric.all(in: first.runs).filter { names.contains($0.name) }.map { metric in
            Row(
                metric: metric,
                comparison: Comparison(
                    first.runs.compactMap(metric.value), second.runs.compactMap(metric.value),
                    higherIsBetter: metric.higherIsBetter,
                    smallestPart: metric.smallestPart))
        }
    }

    package static func text(
        _ first: BenchResult, _ second: BenchResult, names: (String, String)
    ) -> String {
        var lines = [
            "A: \(describe(first, names.0))", "B: \(describe(second, names.1))", "",
            Format.left("", 30)
                + ["A", "B", "change", "noise"].map { Format.right($0, 14) }.joined(),
        ]
        lines += differences(first, second)
        let rows = rows(first, second)
        lines += rows.map(line)
        lines.append("")
        lines.append(conclusion(rows))
        return lines.joined(separator: "\n") + "\n"
    }

    private static func describe(_ result: BenchResult, _ name: String) -> String {
        let label = result.label.isEmpty ? name : "\(result.label) (\(name))"
        let failures = result.runs.reduce(0) { $0 + $1.failures }
        return "\(label): \(result.workload), \(result.runs.count) runs"
            + (failures > 0 ? ", \(Format.grouped(failures)) operations FAILED" : "")
    }

    /// Circumstances that are not the same.
    private static func differences(_ first: BenchResult, _ second: BenchResult) -> [String] {
        var lines: [String] = []
        let ones = first.parameters + first.machine
        let others = second.parameters + second.machine
        for field in ones {
            let other = others.first { $0.name == field.name }?.value ?? "nothing"
            if other != field.value {
                lines.append("differs: \(field.name) is \(field.value) in A, \(other) in B")
            }
        }
        for field in others where !ones.contains(where: { $0.name == field.name }) {
            lines.append("differs: \(field.name) is nothing in A, \(field.value) in B")
        }
        return lines
    }

    private static func line(_ row: Row) -> String {
        let comparison = row.comparison
        let change = comparison.part.map { part in
            (part > 0 ? "+" : "") + Format.fixed(part * 100, 1) + " %"
        }
        let noise = comparison.noise.flatMap { noise in
            comparison.first.mean == 0
                ? nil : "+-" + Format.fixed(noise / abs(comparison.first.mean) * 100, 1) + " %"
        }
        let cells = [
            row.metric.format(comparison.first.mean), row.metric.format(comparison.second.mean),
            change ?? "", noise ?? "unknown",
        ]
        return Format.left(row.metric.name, 30)
            + cells.map { Format.right($0, 14) }.joined() + "  " + word(comparison.verdict)
    }

    private static func word(_ verdict: Comparison.Verdict) -> String {
        switch verdict {
        case .noDifference: "no difference beyond noise"
        case .better: "better"
        case .worse: "WORSE"
        case .unknown: "?"
        }
    }

    private static func conclusion(_ rows: [Row]) -> String {
        let verdicts = rows.map(\.comparison.verdict)
        if verdicts.contains(.unknown) {
            return "The noise is unknown: measure both sides with --runs 5 or more."
        }
        let worse = verdicts.count { $0 == .worse }
        let better = verdicts.count { $0 == .better }
        guard worse + better > 0 else { return "No difference beyond noise." }
        return "B is better in \(better) and worse in \(worse) of \(rows.count) figures."
    }
}
