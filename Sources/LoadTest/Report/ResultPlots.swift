internal import Glibc

/// The plots of a result.
enum ResultPlots {
    /// Latency by percentile, both axes logarithmic: the tail is what matters.
    static func latency(_ result: BenchResult) -> Plot {
        let lines = result.runs.enumerated().flatMap { index, run in
            run.kinds.filter { $0.operations > 0 }.map { kind in
                Plot.Line(
                    name: result.runs.count > 1 ? "run \(index + 1), \(kind.name)" : kind.name,
                    points: kind.latency.curve.map {
                        (nines($0.x, of: kind.operations), log10(max($0.y, 0.001)))
                    })
            }
        }
        let values = lines.flatMap { $0.points.map(\.y) }
        let low = (values.min() ?? 0).rounded(.down)
        let high = max((values.max() ?? 1).rounded(.up), low + 1)
        return Plot(
            xLabel: "percentile", yLabel: "latency",
            xTicks: [0, 50, 90, 99, 99.9, 99.99, 99.999].map {
                .init(value: nines($0, of: .max), text: label($0))
            },
            yTicks: decades(low, high),
            xRange: 0...max(lines.flatMap { $0.points.map(\.x) }.max() ?? 2, 1),
            yRange: low...high, lines: lines)
    }

    /// 0 for 0 %, 1 for 90 %, 2 for 99 %, and so on; 100 % of n operations is where half an
    /// operation is left.
    private static func nines(_ percent: Double, of operations: Int) -> Double {
        -log10(max(1 - percent / 100, 0.5 / Double(operations)))
    }

    private static func label(_ percent: Double) -> String {
        percent == percent.rounded() ? "\(Int(percent))" : "\(percent)"
    }

    private static func decades(_ low: Double, _ high: Double) -> [Plot.Tick] {
        stride(from: low, through: high, by: 1).map {
            .init(value: $0, text: Format.time(pow(10, $0)))
        }
    }

    /// Operations a second over time.
    static func throughput(_ result: BenchResult) -> Plot {
        let lines = result.runs.enumerated().map { index, run in
            var last = 0.0
            let points = run.intervals.map { interval in
                defer { last = interval.seconds }
                let seconds = max(interval.seconds - last, 1e-9)
                return (x: interval.seconds, y: Double(interval.operations) / seconds)
            }
            return Plot.Line(name: "run \(index + 1)", points: points)
        }
        let seconds = max(lines.flatMap { $0.points.map(\.x) }.max() ?? 1, 0.1)
        let rate = max(lines.flatMap { $0.points.map(\.y) }.max() ?? 1, 1) * 1.05
        return Plot(
            xLabel: "seconds", yLabel: "operations per second",
            xTicks: even(seconds).map { .init(value: $0, text: Format.short($0)) },
            yTicks: even(rate).map { .init(value: $0, text: Format.short($0)) },
            xRange: 0...seconds, yRange: 0...rate, lines: lines)
    }

    /// About five marks at round numbers from 0 to `end`.
    static func even(_ end: Double) -> [Double] {
        let rough = end / 5
        let scale = pow(10, log10(rough).rounded(.down))
        let step = [1, 2, 5, 10].map { $0 * scale }.first { $0 >= rough } ?? scale * 10
        return Array(stride(from: 0, through: end, by: step))
    }
}
