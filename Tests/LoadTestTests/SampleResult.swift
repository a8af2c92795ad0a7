@testable import LoadTest

extension BenchResult {
    /// One with something in every field.
    static func sample(runs: Int = 2, scale: Double = 1) -> BenchResult {
        var result = BenchResult()
        result.workload = "push"
        result.label = "a <b> & \"c\""
        result.target = "http://127.0.0.1:1/db/x"
        result.startedAt = 1_790_000_000
        result.parameters = [.init("clients", "4")]
        result.machine = [.init("processors", "2")]
        result.verified = ["all is there"]
        result.runs = (1...runs).map { .sample(number: $0, scale: scale) }
        return result
    }
}

extension RunSummary {
    static func sample(number: Int, scale: Double) -> RunSummary {
        var recorder = Recorder(kinds: ["push", "pull"])
        let origin: UInt64 = 1_000_000
        for index in 0..<1000 {
            let start = origin + UInt64(index) * 1_000_000
            let time = UInt64(Double(index % 100 + number) * 1000 * scale)
            recorder.record(
                kind: index % 2, from: start, to: start + time, origin: origin, bytes: 10)
        }
        recorder.recordFailure("status 500: </script>")
        recorder.lateness.record(5000)
        var run = RunSummary(recorder, elapsed: 1_000_000_000)
        run.server = Server(cpuSeconds: 0.25, residentSize: 1000, peakSize: 2000)
        run.clientCPUSeconds = 0.125
        run.extras = [Extra(name: "rows", value: 1.5)]
        return run
    }
}
