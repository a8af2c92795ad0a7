/// When the statement that runs on a connection has to end, and why it did.
struct StatementTimer {
    private(set) var deadline: ContinuousClock.Instant?
    /// Becomes a deadline at the first look.
    private(set) var limit: Duration?
    private(set) var isDeadlinePassed = false
    var isStopped = false

    init(deadline: ContinuousClock.Instant? = nil, limit: Duration? = nil) {
        self.deadline = deadline
        self.limit = limit
    }

    var isRunning: Bool { deadline != nil || limit != nil }

    /// Looks at the clock, and notes whether the time is over.
    mutating func look() {
        let now = ContinuousClock.now
        if let limit {
            deadline = now + limit
            self.limit = nil
        }
        if let deadline, now >= deadline { isDeadlinePassed = true }
    }
}
