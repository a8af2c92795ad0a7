package import Transport

/// What carries out one thread's part of a run.
package protocol RunDriver: AnyObject, Sendable {
    /// Makes the clients; their connections are opened by their first operations. From any thread,
    /// once.
    ///
    /// - Parameter completion: called on the loop's thread.
    func load(completion: @escaping @Sendable () -> Void)

    /// Begins. From any thread, once, after `load`.
    ///
    /// - Parameter completion: called once, on the loop's thread, when no operation is under way
    ///   any more.
    func run(_ plan: RunPlan, completion: @escaping @Sendable (Recorder) -> Void)
}

/// What a driver works with.
package struct DriverContext: Sendable {
    package let loop: EventLoop
    /// This thread's index of `threads`.
    package let thread: Int
    package let threads: Int
    /// Of all threads.
    package let clients: Int
    package let databases: [BenchDatabase]
    package let live: LiveCounters

    /// This thread's clients, with their databases: both take turns.
    package var ownClients: [(client: Int, database: BenchDatabase)] {
        stride(from: thread, to: clients, by: threads).map {
            ($0, databases[$0 % databases.count])
        }
    }
}
