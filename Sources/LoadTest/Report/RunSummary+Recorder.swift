extension RunSummary {
    /// - Parameter elapsed: nanoseconds of the measurement.
    init(_ recorder: Recorder, elapsed: UInt64) {
        elapsedSeconds = Double(elapsed) / 1e9
        operations = recorder.operationCount
        failures = recorder.failureCount
        bytes = recorder.bytes
        latency = Latency(recorder.latency)
        kinds = recorder.kinds.map { kind in
            Kind(
                name: kind.name, operations: kind.latency.count, bytes: kind.bytes,
                latency: Latency(kind.latency))
        }
        intervals = Self.intervals(recorder, elapsed: elapsed)
        failureTexts = recorder.failures.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { .init($0.key, String($0.value)) }
        if recorder.lateness.count > 0 {
            generatorLateness = Double(recorder.lateness.percentile(99)) / 1000
        }
    }

    /// At most about 200 points, so that long runs can still be plotted.
    private static func intervals(_ recorder: Recorder, elapsed: UInt64) -> [Interval] {
        let length = Double(Recorder.intervalLength) / 1e9
        let count = max(recorder.intervals.count, Int(elapsed / Recorder.intervalLength))
        let step = max(1, (count + 199) / 200)
        return stride(from: 0, to: recorder.intervals.count, by: step).map { start in
            let end = min(start + step, recorder.intervals.count)
            let group = recorder.intervals[start..<end]
            return Interval(
                seconds: Double(start + step) * length,
                operations: group.reduce(0) { $0 + $1.operations },
                bytes: group.reduce(0) { $0 + $1.bytes })
        }
    }
}

extension RunSummary.Latency {
    init(_ histogram: LatencyHistogram) {
        let times = histogram.percentiles([50, 90, 99, 99.9]).map { Double($0) / 1000 }
        self.init(
            minimum: Double(histogram.minimum) / 1000, mean: histogram.mean / 1000, p50: times[0],
            p90: times[1], p99: times[2], p999: times[3],
            maximum: Double(histogram.maximum) / 1000,
            curve: histogram.curve.map { Point(x: $0.percent, y: Double($0.time) / 1000) })
    }
}
