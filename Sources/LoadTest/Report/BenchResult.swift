/// Everything that a load test found out, as reports show it and files keep it.
package struct BenchResult: Sendable, Equatable {
    package struct Field: Sendable, Equatable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package var workload = ""
    package var label = ""
    package var target = ""
    /// Seconds since 1970.
    package var startedAt = 0
    package var parameters: [Field] = []
    package var machine: [Field] = []
    package var runs: [RunSummary] = []
    /// What `--verify` found true; empty if nothing was verified.
    package var verified: [String] = []

    package init() {}
}

/// The figures of one run.
package struct RunSummary: Sendable, Equatable {
    package struct Latency: Sendable, Equatable {
        /// Microseconds.
        package var minimum = 0.0, mean = 0.0, p50 = 0.0, p90 = 0.0, p99 = 0.0, p999 = 0.0
        package var maximum = 0.0
        /// Percents and microseconds, both ascending.
        package var curve: [Point] = []

        package struct Point: Sendable, Equatable { package var x: Double, y: Double }
    }

    package struct Kind: Sendable, Equatable {
        package var name = ""
        package var operations = 0
        package var bytes = 0
        package var latency = Latency()
    }

    /// What was completed up to `seconds`, since the interval before.
    package struct Interval: Sendable, Equatable {
        package var seconds = 0.0
        package var operations = 0
        package var bytes = 0
    }

    package struct Server: Sendable, Equatable {
        package var cpuSeconds = 0.0
        /// Bytes.
        package var residentSize = 0
        package var peakSize = 0
    }

    package var elapsedSeconds = 0.0
    package var operations = 0
    package var failures = 0
    package var bytes = 0
    /// Of all kinds together.
    package var latency = Latency()
    package var kinds: [Kind] = []
    package var intervals: [Interval] = []
    package var failureTexts: [BenchResult.Field] = []
    /// Of a server on this machine.
    package var server: Server?
    package var clientCPUSeconds = 0.0
    /// Of an open loop: how late the generator itself was, in microseconds, 99 %.
    package var generatorLateness: Double?
    /// Further figures of a workload, by name.
    package var extras: [Extra] = []

    package struct Extra: Sendable, Equatable {
        package var name: String
        package var value: Double
    }

    package init() {}

    package var rate: Double { elapsedSeconds > 0 ? Double(operations) / elapsedSeconds : 0 }
    package var byteRate: Double { elapsedSeconds > 0 ? Double(bytes) / elapsedSeconds : 0 }

    /// Microseconds of the server's processor time for each operation.
    package var serverMicrosecondsPerOperation: Double? {
        guard let server, operations > 0 else { return nil }
        return server.cpuSeconds * 1e6 / Double(operations)
    }

    package var clientMicrosecondsPerOperation: Double {
        operations > 0 ? clientCPUSeconds * 1e6 / Double(operations) : 0
    }
}
