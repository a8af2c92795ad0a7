internal import HTTP
internal import Logging

/// Logs what was answered to a request, at debug level.
final class LoggingResponder: HTTPResponder {
    private let responder: any HTTPResponder
    private let head: HTTPRequestHead
    private let logger: Logger
    private let start = ContinuousClock.now
    private let finish: @Sendable (HTTPResponse) -> HTTPResponse

    /// - Parameter finish: changes every answer before it is sent.
    init(
        _ responder: any HTTPResponder, head: HTTPRequestHead, logger: Logger,
        finish: @escaping @Sendable (HTTPResponse) -> HTTPResponse = { $0 }
    ) {
        self.responder = responder
        self.head = head
        self.logger = logger
        self.finish = finish
    }

    func respond(_ response: HTTPResponse) {
        if logger.minimumLevel <= .debug {
            logger.debug(
                "request",
                [
                    ("method", head.method), ("path", head.path),
                    ("host", head.headers["host"] ?? ""), ("status", "\(response.status)"),
                    // To the beginning of the answer; a long body takes longer.
                    ("ms", "\((ContinuousClock.now - start) / .milliseconds(1))"),
                ])
        }
        responder.respond(finish(response))
    }

    func onClientGone(_ action: @escaping @Sendable () -> Void) { responder.onClientGone(action) }
    func onShutdown(_ action: @escaping @Sendable () -> Void) { responder.onShutdown(action) }
    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        responder.schedule(after: delay, action)
    }
}
