/// Something to do at a time, on one event loop, which owns it and on whose thread it stays.
package final class LoopTimer {
    /// Nanoseconds of the loop's clock.
    package let deadline: UInt64
    let action: () -> Void
    /// In the loop's heap; nil once fired or cancelled.
    var position: Int?

    init(deadline: UInt64, action: @escaping () -> Void) {
        self.deadline = deadline
        self.action = action
    }
}
