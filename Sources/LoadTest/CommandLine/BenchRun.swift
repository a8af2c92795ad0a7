internal import CommandLineOptions
internal import Glibc

/// One call of the tool: prepares, measures as often as asked, verifies, reports.
struct BenchRun {
    let command: BenchCommand
    let settings: BenchSettings
    /// Options as they were given, by name.
    let given: [String: [String]]
    let console: Console

    func run() throws {
        OpenFileLimit.raise()
        let workload = try command.makeWorkload(settings)
        let environment = try BenchEnvironment(settings)
        defer { environment.close() }
        let progress = ProgressLine(console: console, isQuiet: settings.isQuiet)
        progress.say("preparing")
        try workload.prepare(environment.databases)
        var result = description(environment)
        for number in 1...settings.runs {
            try workload.beginRun(environment.databases, number: number)
            let measurement = Measurement(
                workload: workload, environment: environment, settings: settings
            ) { progress.show($0, run: number) }
            result.runs.append(try measurement.run())
            guard settings.verify else { continue }
            progress.say("verifying")
            do throws(BenchError) {
                result.verified = try workload.verify(environment.databases)
            } catch {
                progress.clear()
                // The figures, and failures in them, may say why.
                try? report(result)
                throw error
            }
        }
        progress.clear()
        try report(result)
    }

    private func report(_ result: BenchResult) throws {
        console.writeOutput(TextReport.text(result))
        if let path = settings.json { try TextFile.write(path, JSONReport.bytes(result)) }
        if let path = settings.html {
            try TextFile.write(path, Array(HTMLReport.text(result).utf8))
        }
        let failures = result.runs.reduce(0) { $0 + $1.failures }
        guard failures == 0 else {
            throw BenchError.failedOperations("\(Format.grouped(failures)) operations failed")
        }
    }

    private func description(_ environment: BenchEnvironment) -> BenchResult {
        var result = BenchResult()
        result.workload = command.name
        result.label = settings.label ?? ""
        result.target = environment.targetText
        result.startedAt = time(nil)
        result.machine = MachineDescription.fields()
        result.parameters = pace + others
        return result
    }

    /// The circumstances that every result has.
    private var pace: [BenchResult.Field] {
        [
            .init("clients", String(settings.clients)),
            .init("pace", settings.rate > 0 ? "\(settings.rate)/s" : "closed"),
            .init("threads", String(settings.threads)),
            .init(
                settings.count > 0 ? "count" : "duration",
                settings.count > 0 ? String(settings.count) : settings.duration.optionText),
            .init("warm-up", settings.warmUp.optionText),
            .init("databases", String(settings.databases)),
        ]
    }

    /// What else was asked for; not where the server is and where results go.
    private var others: [BenchResult.Field] {
        let shown = Set(pace.map(\.name)).union([
            "rate", "count", "duration", "runs", "url", "admin-url", "start-server", "server-pid",
            "json", "html", "label", "quiet",
        ])
        return given.filter { !shown.contains($0.key) }.sorted { $0.key < $1.key }
            .map { .init($0.key, $0.value.joined(separator: ",")) }
    }
}
