/// Answers one request. Safe to call from any thread.
///
/// A responder that is released without an answer answers 500, so that no client waits for ever.
package protocol HTTPResponder: AnyObject, Sendable {
    /// Sends the answer. Only the first call counts; after the client has gone it does nothing
    /// but close a streamed body.
    func respond(_ response: HTTPResponse)
    /// Calls `action` once if the client goes away before the answer is complete; at once if it
    /// already has. Used to drop long polls. The call comes from the event loop or from the caller.
    ///
    /// A client that only closed its sending side counts as gone here, because that looks the
    /// same; an answer given afterwards is still sent.
    func onClientGone(_ action: @escaping @Sendable () -> Void)
    /// Calls `action` once if the server begins to stop before `respond` was called; at once if it
    /// is stopping already. Used to end long polls, which would hold up the stop.
    func onShutdown(_ action: @escaping @Sendable () -> Void)
    /// Calls `action` on the event loop after `delay`, unless the answer was given or the client
    /// has gone by then.
    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void)
}

extension HTTPResponder {
    /// For responders that have no server behind them, such as a test's.
    package func onShutdown(_ action: @escaping @Sendable () -> Void) {}
}
