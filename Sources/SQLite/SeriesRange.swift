/// The values of `generate_series(start, stop, step)`: from `start` by `step` as far as `stop`,
/// which may be left out where `step` skips it. Any three integers are allowed: nothing overflows.
struct SeriesRange: Equatable {
    /// `stop` where it is not given, as in SQLite's own `series.c`.
    static let defaultStop: Int64 = 0xFFFF_FFFF

    let start: Int64
    let stop: Int64
    /// Never 0: SQLite takes 0 for 1.
    let step: Int64

    init(start: Int64, stop: Int64 = defaultStop, step: Int64 = 1) {
        self.start = start
        self.stop = stop
        self.step = step == 0 ? 1 : step
    }

    /// How many steps lead from the first value to the last; nil if there is no value at all.
    /// (The number of values would not fit for a series of all integers.)
    var stepCount: UInt64? {
        guard step > 0 ? start <= stop : start >= stop else { return nil }
        let distance = UInt64(bitPattern: stop) &- UInt64(bitPattern: start)
        return (step > 0 ? distance : 0 &- distance) / step.magnitude
    }

    /// The last value; nil if there is none.
    var last: Int64? {
        stepCount.map { start &+ Int64(bitPattern: $0) &* step }
    }
}
