package import Primitives

/// Long polls: being told of the next commit.
extension Database {
    /// Names a waiter, to cancel it.
    package struct WaiterID: Sendable {
        fileprivate let rawValue: UInt64
    }

    /// Calls `wake` once, on any thread, as soon as the head differs from `commit` or the
    /// database closes. Nil if it differs already; then `wake` is not called.
    package func whenHead(
        differsFrom commit: CommitNumber, wake: @escaping @Sendable () -> Void
    ) -> WaiterID? {
        state.withLock { state in
            guard state.books.head == commit, state.closing == nil else { return nil }
            let id = state.nextWaiter
            state.nextWaiter += 1
            state.waiters[id] = Waiter(commit: commit, wake: wake)
            return WaiterID(rawValue: id)
        }
    }

    /// True if the waiter was still there: its `wake` is never called then.
    @discardableResult
    package func cancelWaiter(_ id: WaiterID) -> Bool {
        // Released outside of the lock: it may hold the last lease.
        let waiter = state.withLock { $0.waiters.removeValue(forKey: id.rawValue) }
        return waiter != nil
    }

    package var waiterCount: Int { state.withLock { $0.waiters.count } }
}
