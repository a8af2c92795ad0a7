/// Counts of times in nanoseconds, kept to three significant digits whatever their size, as HDR
/// histograms do: buckets of double the width follow each other, each of them in 1024 equal steps.
///
/// Times up to 2048 ns are exact; any other is off by less than a thousandth. Times beyond
/// `maximumTime` count as that. Histograms can be merged without loss.
package struct LatencyHistogram: Sendable, Equatable {
    /// About 73 minutes, in nanoseconds.
    package static let maximumTime: UInt64 = 1 << 42 - 1

    private static let stepBits = 10
    private static let slotCount = slot(of: maximumTime) + 1

    /// Empty until the first time is recorded.
    private var counts: [UInt64] = []
    package private(set) var count = 0
    /// Nanoseconds; exact. 0 without times.
    package private(set) var minimum: UInt64 = 0
    package private(set) var maximum: UInt64 = 0
    private var sum = 0.0

    package init() {}

    package mutating func record(_ time: UInt64) {
        let time = min(time, Self.maximumTime)
        if counts.isEmpty { counts = [UInt64](repeating: 0, count: Self.slotCount) }
        counts[Self.slot(of: time)] += 1
        minimum = count == 0 ? time : min(minimum, time)
        maximum = max(maximum, time)
        sum += Double(time)
        count += 1
    }

    package mutating func merge(_ other: LatencyHistogram) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        for slot in counts.indices { counts[slot] += other.counts[slot] }
        minimum = min(minimum, other.minimum)
        maximum = max(maximum, other.maximum)
        sum += other.sum
        count += other.count
    }

    /// Nanoseconds; 0 without times.
    package var mean: Double { count == 0 ? 0 : sum / Double(count) }

    /// The time, in nanoseconds, that `percent` of all times do not exceed; 0 without times.
    ///
    /// - Parameter percent: 0 to 100.
    package func percentile(_ percent: Double) -> UInt64 {
        percentiles([percent])[0]
    }

    /// As above for several, which must ascend.
    package func percentiles(_ percents: [Double]) -> [UInt64] {
        var values: [UInt64] = []
        var (slot, seen) = (0, UInt64(0))
        for percent in percents {
            // A hair less, or 99.9 % of 1000 would be 1000 by the rounding of the product.
            let exact = Double(count) * min(max(percent, 0), 100) / 100
            let wanted = UInt64(max(1, (exact - 1e-6).rounded(.up)))
            while slot < counts.count, seen + counts[slot] < wanted {
                seen += counts[slot]
                slot += 1
            }
            values.append(min(max(Self.highestTime(in: slot), minimum), maximum))
        }
        return values
    }

    /// Points of the distribution, ascending, closer to each other towards 100 %: what a plot of
    /// latencies is drawn from.
    package var curve: [(percent: Double, time: UInt64)] {
        guard count > 0 else { return [] }
        var percents: [Double] = [0]
        var rest = 100.0
        // Eight points in each halving of what is left, until that is less than one time.
        while rest * Double(count) > 50 {
            for step in 1...8 { percents.append(100 - rest + rest / 2 * Double(step) / 8) }
            rest /= 2
        }
        percents.append(100)
        return Array(zip(percents, percentiles(percents)))
    }

    private static func slot(of time: UInt64) -> Int {
        let shift = max(0, 64 - time.leadingZeroBitCount - (stepBits + 1))
        return shift << stepBits + Int(time >> UInt64(shift))
    }

    private static func highestTime(in slot: Int) -> UInt64 {
        let shift = max(0, slot >> stepBits - 1)
        return (UInt64(slot - shift << stepBits) + 1) << UInt64(shift) - 1
    }
}
