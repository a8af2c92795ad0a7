internal import WireProtocol

extension BenchResult {
    package enum ReadingError: Error, Equatable {
        case notJSON
        /// Another program's file, or one of a later version.
        case otherFormat
        case missing(String)
    }

    /// Reads what `JSONReport` writes. Keys that it does not know are passed over.
    package init(json bytes: [UInt8]) throws(ReadingError) {
        guard let document = try? JSONDocument(parsing: bytes) else { throw .notJSON }
        let root = document.root
        guard root["format"]?.string == JSONReport.format,
            root["version"]?.int64 == Int64(JSONReport.version)
        else { throw .otherFormat }
        self.init()
        workload = try Self.text(root, "workload")
        label = try Self.text(root, "label")
        target = try Self.text(root, "target")
        startedAt = Int(try Self.number(root, "started_at"))
        parameters = try Self.fields(root, "parameters")
        machine = try Self.fields(root, "machine")
        verified = try Self.list(root, "verified").map { $0.string ?? "" }
        for run in try Self.list(root, "runs") { runs.append(try RunSummary(run)) }
        guard !runs.isEmpty else { throw .missing("runs") }
    }

    static func text(
        _ element: JSONElement, _ key: StaticString
    ) throws(ReadingError) -> String {
        guard let text = element[key]?.string else { throw .missing(key.description) }
        return text
    }

    static func number(
        _ element: JSONElement, _ key: StaticString
    ) throws(ReadingError) -> Double {
        // Whole numbers are used as such, so what they cannot hold is refused.
        guard let number = element[key]?.double, abs(number) < 9e15 else {
            throw .missing(key.description)
        }
        return number
    }

    static func list(
        _ element: JSONElement, _ key: StaticString
    ) throws(ReadingError) -> [JSONElement] {
        guard let array = element[key]?.array else { throw .missing(key.description) }
        return Array(array)
    }

    static func fields(
        _ element: JSONElement, _ key: StaticString
    ) throws(ReadingError) -> [Field] {
        var fields: [Field] = []
        for field in try list(element, key) {
            fields.append(Field(try text(field, "name"), try text(field, "value")))
        }
        return fields
    }

    /// The numbers of an array; those that are none are NaN.
    static func numbers(_ element: JSONElement) -> [Double] {
        element.array.map { $0.map { $0.double ?? .nan } } ?? []
    }
}

extension RunSummary {
    init(_ run: JSONElement) throws(BenchResult.ReadingError) {
        self.init()
        elapsedSeconds = try BenchResult.number(run, "elapsed_seconds")
        operations = Int(try BenchResult.number(run, "operations"))
        failures = Int(try BenchResult.number(run, "failures"))
        bytes = Int(try BenchResult.number(run, "bytes"))
        guard let all = run["latency_us"] else { throw .missing("latency_us") }
        latency = try Latency(all)
        for kind in try BenchResult.list(run, "kinds") { kinds.append(try Kind(kind)) }
        for interval in try BenchResult.list(run, "intervals") {
            let numbers = BenchResult.numbers(interval)
            guard numbers.count == 3, numbers.allSatisfy({ abs($0) < 9e15 }) else {
                throw .missing("intervals")
            }
            intervals.append(
                Interval(
                    seconds: numbers[0], operations: Int(numbers[1]), bytes: Int(numbers[2])))
        }
        failureTexts = try BenchResult.fields(run, "failure_texts")
        if let figures = run["server"], !figures.isNull {
            server = Server(
                cpuSeconds: try BenchResult.number(figures, "cpu_seconds"),
                residentSize: Int(try BenchResult.number(figures, "resident_bytes")),
                peakSize: Int(try BenchResult.number(figures, "peak_bytes")))
        }
        clientCPUSeconds = try BenchResult.number(run, "client_cpu_seconds")
        generatorLateness = run["generator_lateness_us_p99"]?.double
        for extra in try BenchResult.list(run, "extras") {
            extras.append(
                Extra(
                    name: try BenchResult.text(extra, "name"),
                    value: try BenchResult.number(extra, "value")))
        }
    }
}

extension RunSummary.Kind {
    init(_ kind: JSONElement) throws(BenchResult.ReadingError) {
        self.init()
        name = try BenchResult.text(kind, "name")
        operations = Int(try BenchResult.number(kind, "operations"))
        bytes = Int(try BenchResult.number(kind, "bytes"))
        guard let times = kind["latency_us"] else { throw .missing("latency_us") }
        latency = try RunSummary.Latency(times)
    }
}

extension RunSummary.Latency {
    init(_ element: JSONElement) throws(BenchResult.ReadingError) {
        self.init()
        minimum = try BenchResult.number(element, "min")
        mean = try BenchResult.number(element, "mean")
        p50 = try BenchResult.number(element, "p50")
        p90 = try BenchResult.number(element, "p90")
        p99 = try BenchResult.number(element, "p99")
        p999 = try BenchResult.number(element, "p99_9")
        maximum = try BenchResult.number(element, "max")
        for point in try BenchResult.list(element, "curve") {
            let numbers = BenchResult.numbers(point)
            guard numbers.count == 2, numbers.allSatisfy(\.isFinite) else {
                throw .missing("curve")
            }
            curve.append(Point(x: numbers[0], y: numbers[1]))
        }
    }
}
