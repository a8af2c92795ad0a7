internal import HTTP

/// The handler's end of an exchange. It is held by nobody else, so its end without an answer
/// means that none will come.
final class ExchangeResponder: HTTPResponder {
    private let exchange: HTTPExchange

    init(exchange: HTTPExchange) {
        self.exchange = exchange
    }

    deinit {
        exchange.abandon()
    }

    func respond(_ response: HTTPResponse) {
        exchange.respond(response)
    }

    func onClientGone(_ action: @escaping @Sendable () -> Void) {
        exchange.onClientGone(action)
    }

    func onShutdown(_ action: @escaping @Sendable () -> Void) {
        exchange.onShutdown(action)
    }

    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        exchange.schedule(after: delay, action)
    }
}
