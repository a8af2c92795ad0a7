/// What was measured: by one thread, or merged from several.
package struct Recorder: Sendable {
    /// One kind of operation of a workload.
    package struct Kind: Sendable {
        package let name: String
        package var latency = LatencyHistogram()
        /// Of the bodies of answers.
        package var bytes = 0
    }

    /// What was completed in one interval.
    package struct Interval: Sendable, Equatable {
        package var operations = 0
        package var bytes = 0
    }

    /// Nanoseconds.
    package static let intervalLength: UInt64 = 100_000_000
    /// About three hours; later ones count as the last.
    private static let maximumIntervals = 100_000
    private static let maximumFailureTexts = 32

    package var kinds: [Kind]
    package private(set) var intervals: [Interval] = []
    package private(set) var failures: [String: Int] = [:]
    package private(set) var failureCount = 0
    /// When the last counted operation ended; 0 without one.
    package private(set) var lastEnd: UInt64 = 0
    /// How much later than due operations were sent although a client was free: the load
    /// generator's own part of the latencies of an open loop.
    package var lateness = LatencyHistogram()

    package init(kinds: [String]) {
        self.kinds = kinds.map { Kind(name: $0) }
    }

    package var operationCount: Int { kinds.reduce(0) { $0 + $1.latency.count } }
    package var bytes: Int { kinds.reduce(0) { $0 + $1.bytes } }

    package var latency: LatencyHistogram {
        kinds.reduce(into: LatencyHistogram()) { $0.merge($1.latency) }
    }

    /// - Parameters:
    ///   - start: when it was due; `end`: when the answer was complete; `origin`: when the
    ///     measurement began.
    package mutating func record(
        kind: Int, from start: UInt64, to end: UInt64, origin: UInt64, bytes: Int
    ) {
        kinds[kind].latency.record(end > start ? end - start : 0)
        kinds[kind].bytes += bytes
        lastEnd = max(lastEnd, end)
        let sinceOrigin = end > origin ? end - origin : 0
        let index = min(Int(sinceOrigin / Self.intervalLength), Self.maximumIntervals - 1)
        while intervals.count <= index { intervals.append(Interval()) }
        intervals[index].operations += 1
        intervals[index].bytes += bytes
    }

    package mutating func recordFailure(_ text: String, count: Int = 1) {
        failureCount += count
        // Texts may hold numbers that are always different.
        let isNew = failures[text] == nil
        let key = isNew && failures.count >= Self.maximumFailureTexts ? "other failures" : text
        failures[key, default: 0] += count
    }

    package mutating func merge(_ other: Recorder) {
        for index in kinds.indices {
            kinds[index].latency.merge(other.kinds[index].latency)
            kinds[index].bytes += other.kinds[index].bytes
        }
        while intervals.count < other.intervals.count { intervals.append(Interval()) }
        for (index, interval) in other.intervals.enumerated() {
            intervals[index].operations += interval.operations
            intervals[index].bytes += interval.bytes
        }
        for (text, count) in other.failures { recordFailure(text, count: count) }
        lastEnd = max(lastEnd, other.lastEnd)
        lateness.merge(other.lateness)
    }
}
