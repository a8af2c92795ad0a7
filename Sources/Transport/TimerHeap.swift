/// Deadlines in a binary heap: adding, cancelling and taking the earliest cost O(log n).
///
/// Invariant: `entries[i].timer.position == i`, and no parent's deadline is after its child's.
struct TimerHeap {
    private var timers: [LoopTimer] = []

    var isEmpty: Bool { timers.isEmpty }
    var count: Int { timers.count }
    /// Nanoseconds of the monotonic clock; nil without timers.
    var earliestDeadline: UInt64? { timers.first?.deadline }

    mutating func insert(_ timer: LoopTimer) {
        precondition(timer.position == nil, "the timer is already set")
        timer.position = timers.count
        timers.append(timer)
        siftUp(timers.count - 1)
    }

    /// Does nothing if the timer has fired or was removed.
    mutating func remove(_ timer: LoopTimer) {
        guard let position = timer.position else { return }
        assert(timers[position] === timer)
        timer.position = nil
        let last = timers.removeLast()
        guard last !== timer else { return }
        timers[position] = last
        last.position = position
        siftUp(position)
        siftDown(last.position ?? position)
    }

    /// The earliest timer, taken out, if its deadline is not after `now`.
    mutating func popExpired(now: UInt64) -> LoopTimer? {
        guard let first = timers.first, first.deadline <= now else { return nil }
        remove(first)
        return first
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard timers[index].deadline < timers[parent].deadline else { return }
            swap(index, parent)
            index = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        while true {
            let left = index * 2 + 1
            guard left < timers.count else { return }
            let right = left + 1
            let child =
                right < timers.count && timers[right].deadline < timers[left].deadline
                ? right : left
            guard timers[child].deadline < timers[index].deadline else { return }
            swap(index, child)
            index = child
        }
    }

    private mutating func swap(_ first: Int, _ second: Int) {
        timers.swapAt(first, second)
        timers[first].position = first
        timers[second].position = second
    }
}
