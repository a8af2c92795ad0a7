/// What a server does with requests. Both calls come from an event loop and must not block.
package protocol HTTPHandler: Sendable {
    /// Asked once for every request, also for one without a body.
    func bodyHandling(for head: HTTPRequestHead) -> HTTPBodyHandling
    func handle(_ request: HTTPRequest, _ responder: any HTTPResponder)
}
