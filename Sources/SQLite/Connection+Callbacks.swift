internal import CSQLite

/// The functions that SQLite calls back while it works. Each gets the connection itself as its
/// context, unretained: SQLite forgets it when the handle is closed, before the connection goes.
extension Connection {
    /// How many virtual machine instructions pass between two looks at the clock: some ten
    /// microseconds.
    private static let progressInterval: Int32 = 1000

    private var context: UnsafeMutableRawPointer {
        unsafe Unmanaged.passUnretained(self).toOpaque()
    }

    private static func connection(at context: UnsafeMutableRawPointer?) -> Connection {
        guard let context = unsafe context else {
            preconditionFailure("SQLite lost a callback's context")
        }
        return unsafe Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
    }

    /// Makes statements that still run at `deadline` fail with `SQLITE_INTERRUPT`, and then says so
    /// in `isDeadlinePassed`. Nil takes the limit away.
    package func setProgressDeadline(_ deadline: ContinuousClock.Instant?) {
        timer = StatementTimer(deadline: deadline)
        updateProgressHandler()
    }

    /// Sets a deadline that is so far away from the first look at the clock, a thousand instructions
    /// after the statement began at the most: short statements, of which a push has thousands, do
    /// not look at it at all.
    package func setTimeLimit(_ limit: Duration) {
        timer = StatementTimer(limit: limit)
        if !hasProgressHandler { updateProgressHandler() }
    }

    /// Makes statements that run while `check` says true fail with `SQLITE_INTERRUPT`, and then
    /// says so in `isStopped`. It is asked on the statement's thread every thousand instructions,
    /// so it must be quick. Nil takes it away.
    package func setStopCheck(_ check: (() -> Bool)?) {
        stopCheck = check
        timer.isStopped = false
        updateProgressHandler()
    }

    private func updateProgressHandler() {
        let isNeeded = timer.isRunning || stopCheck != nil
        guard let handle = unsafe handle, isNeeded != hasProgressHandler else { return }
        hasProgressHandler = isNeeded
        guard isNeeded else {
            unsafe sqlite3_progress_handler(handle, 0, nil, nil)
            return
        }
        unsafe sqlite3_progress_handler(
            handle, Self.progressInterval,
            { context in unsafe Connection.connection(at: context).mustInterrupt() ? 1 : 0 },
            context)
    }

    /// Whether the deadline has passed or the stop check says so, which is noted.
    func mustInterrupt() -> Bool {
        if timer.isRunning { timer.look() }
        if !timer.isDeadlinePassed, let stopCheck, stopCheck() { timer.isStopped = true }
        return isDeadlinePassed || isStopped
    }

    /// Asks `policy` about each statement that is compiled from now on. Nil allows everything.
    package func setAuthorizer(_ policy: (any AuthorizerPolicy)?) {
        guard let handle = unsafe handle else { return }
        authorizerPolicy = policy
        guard policy != nil else {
            unsafe sqlite3_set_authorizer(handle, nil, nil)
            return
        }
        unsafe sqlite3_set_authorizer(
            handle,
            { context, action, first, second, database, source in
                let request = unsafe AuthorizerRequest(
                    action: action, first: first, second: second, database: database,
                    source: source)
                switch unsafe Connection.connection(at: context).authorizerPolicy?.decide(request) {
                case .allow, nil: return SQLITE_OK
                case .deny: return SQLITE_DENY
                case .ignore: return SQLITE_IGNORE
                }
            }, context)
    }
}
