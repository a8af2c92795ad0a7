/// Takes a request body that is too large to hold. All calls come from worker threads, in order.
///
/// Invariant: exactly one of `finish` and `abort` is called, as the last call, also after `write`
/// has thrown (then it is `abort`).
package protocol HTTPBodySink: AnyObject, Sendable {
    /// The next bytes of the body; the socket is not read further until this returns.
    func write(_ bytes: [UInt8]) throws(HTTPRefusal)
    /// The body is complete; answer through `responder`, from any thread.
    func finish(_ responder: any HTTPResponder)
    /// The client went away, or the body broke a rule: throw everything away.
    func abort()
}
