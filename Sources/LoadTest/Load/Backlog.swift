/// Times of operations that wait for a client, first in, first out.
struct Backlog {
    private var times: [UInt64] = []
    private var first = 0

    var isEmpty: Bool { first == times.count }

    mutating func append(_ time: UInt64) { times.append(time) }

    mutating func popFirst() -> UInt64? {
        guard first < times.count else { return nil }
        let time = times[first]
        first += 1
        if first == times.count {
            times.removeAll(keepingCapacity: true)
            first = 0
        }
        return time
    }
}
