internal import WireProtocol

/// The result as JSON; docs/performance.md describes it. `BenchResult(json:)` reads it back.
package enum JSONReport {
    package static let format = "tidemark-bench"
    package static let version = 1

    package static func bytes(_ result: BenchResult) -> [UInt8] {
        var json = JSONWriter(reserving: 64 * 1024)
        json.beginObject()
        json.key("format")
        json.string(format)
        json.key("version")
        json.integer(version)
        json.key("workload")
        json.string(result.workload)
        json.key("label")
        json.string(result.label)
        json.key("target")
        json.string(result.target)
        json.key("started_at")
        json.integer(result.startedAt)
        json.key("parameters")
        write(result.parameters, to: &json)
        json.key("machine")
        write(result.machine, to: &json)
        json.key("verified")
        json.beginArray()
        for text in result.verified { json.string(text) }
        json.endArray()
        json.key("runs")
        json.beginArray()
        for run in result.runs { write(run, to: &json) }
        json.endArray()
        json.endObject()
        return json.bytes
    }

    private static func write(_ fields: [BenchResult.Field], to json: inout JSONWriter) {
        json.beginArray()
        for field in fields {
            json.beginObject()
            json.key("name")
            json.string(field.name)
            json.key("value")
            json.string(field.value)
            json.endObject()
        }
        json.endArray()
    }

    private static func write(_ run: RunSummary, to json: inout JSONWriter) {
        json.beginObject()
        json.key("elapsed_seconds")
        json.number(run.elapsedSeconds)
        json.key("operations")
        json.integer(run.operations)
        json.key("failures")
        json.integer(run.failures)
        json.key("bytes")
        json.integer(run.bytes)
        json.key("operations_per_second")
        json.number(run.rate)
        json.key("bytes_per_second")
        json.number(run.byteRate)
        json.key("latency_us")
        write(run.latency, to: &json)
        json.key("kinds")
        json.beginArray()
        for kind in run.kinds { write(kind, to: &json) }
        json.endArray()
        writeIntervals(run.intervals, to: &json)
        json.key("failure_texts")
        write(run.failureTexts, to: &json)
        writeResources(run, to: &json)
        json.key("extras")
        json.beginArray()
        for extra in run.extras {
            json.beginObject()
            json.key("name")
            json.string(extra.name)
            json.key("value")
            json.number(extra.value)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }

    private static func write(_ kind: RunSummary.Kind, to json: inout JSONWriter) {
        json.beginObject()
        json.key("name")
        json.string(kind.name)
        json.key("operations")
        json.integer(kind.operations)
        json.key("bytes")
        json.integer(kind.bytes)
        json.key("latency_us")
        write(kind.latency, to: &json)
        json.endObject()
    }

    private static func write(_ latency: RunSummary.Latency, to json: inout JSONWriter) {
        json.beginObject()
        json.key("min")
        json.number(latency.minimum)
        json.key("mean")
        json.number(latency.mean)
        json.key("p50")
        json.number(latency.p50)
        json.key("p90")
        json.number(latency.p90)
        json.key("p99")
        json.number(latency.p99)
        json.key("p99_9")
        json.number(latency.p999)
        json.key("max")
        json.number(latency.maximum)
        json.key("curve")
        json.beginArray()
        for point in latency.curve {
            json.beginArray()
            json.number(point.x)
            json.number(point.y)
            json.endArray()
        }
        json.endArray()
        json.endObject()
    }

    private static func writeIntervals(
        _ intervals: [RunSummary.Interval], to json: inout JSONWriter
    ) {
        json.key("intervals")
        json.beginArray()
        for interval in intervals {
            json.beginArray()
            json.number(interval.seconds)
            json.integer(interval.operations)
            json.integer(interval.bytes)
            json.endArray()
        }
        json.endArray()
    }

    private static func writeResources(_ run: RunSummary, to json: inout JSONWriter) {
        json.key("server")
        if let server = run.server {
            json.beginObject()
            json.key("cpu_seconds")
            json.number(server.cpuSeconds)
            json.key("cpu_us_per_operation")
            json.number(run.serverMicrosecondsPerOperation ?? .nan)
            json.key("resident_bytes")
            json.integer(server.residentSize)
            json.key("peak_bytes")
            json.integer(server.peakSize)
            json.endObject()
        } else {
            json.null()
        }
        json.key("client_cpu_seconds")
        json.number(run.clientCPUSeconds)
        json.key("client_cpu_us_per_operation")
        json.number(run.clientMicrosecondsPerOperation)
        json.key("generator_lateness_us_p99")
        json.number(run.generatorLateness ?? .nan)
    }
}
