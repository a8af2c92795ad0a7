/// When the operations of an open loop are due: evenly spaced, whatever becomes of them.
///
/// Latencies count from these times. A client that is late because the server was slow is
/// thereby counted as slow, which it would not be if its time began with the sending
/// ("coordinated omission").
package struct OpenLoopSchedule: Equatable, Sendable {
    /// Nanoseconds of the first operation.
    package let start: UInt64
    /// Operations a second, of all threads together.
    package let rate: Double
    /// This thread takes each `stride`-th operation, from number `offset` on.
    package let offset: Int
    package let stride: Int
    /// Operations of this thread that were taken.
    package private(set) var takenCount = 0

    package init(start: UInt64, rate: Double, offset: Int = 0, stride: Int = 1) {
        precondition(rate > 0 && stride > 0 && (0..<stride).contains(offset))
        self.start = start
        self.rate = rate
        self.offset = offset
        self.stride = stride
    }

    /// When the next operation is due. Computed from its number, so that no rounding adds up.
    package var nextTime: UInt64 {
        let number = Double(takenCount * stride + offset)
        return start + UInt64(number * 1e9 / rate)
    }

    /// The time of the next operation, if it is due by `now`.
    package mutating func take(now: UInt64) -> UInt64? {
        let time = nextTime
        guard time <= now else { return nil }
        takenCount += 1
        return time
    }
}
