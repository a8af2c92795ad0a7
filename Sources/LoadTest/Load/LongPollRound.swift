/// The times of one commit and of the clients that it wakes.
///
/// A client's time counts from the commit's acknowledgement: what was acknowledged should be
/// with everybody soon. Clients that are woken before the acknowledgement came count as 0.
struct LongPollRound: Equatable {
    /// Clients that have not been woken.
    private(set) var missingCount: Int
    private(set) var acknowledgedAt: UInt64?
    private var earlyCount = 0

    init(waiters: Int) { missingCount = waiters }

    /// Times from acknowledgement to wake-up that are known now.
    mutating func acknowledge(at time: UInt64) -> [UInt64] {
        acknowledgedAt = time
        defer { earlyCount = 0 }
        return [UInt64](repeating: 0, count: earlyCount)
    }

    /// The time of this client, if the acknowledgement is there.
    mutating func wake(at time: UInt64) -> UInt64? {
        missingCount -= 1
        guard let acknowledgedAt else {
            earlyCount += 1
            return nil
        }
        return time > acknowledgedAt ? time - acknowledgedAt : 0
    }

    /// A client that will not be woken.
    mutating func lose() { missingCount -= 1 }

    var isComplete: Bool { missingCount <= 0 && acknowledgedAt != nil }
}
