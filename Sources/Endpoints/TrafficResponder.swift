internal import HTTP
internal import Storage

/// Counts the bytes of the body that is answered with. A streamed body is counted piece by piece,
/// as the connection takes them.
final class TrafficResponder: HTTPResponder {
    private let responder: any HTTPResponder
    private let traffic: TrafficCounter

    init(_ responder: any HTTPResponder, traffic: TrafficCounter) {
        self.responder = responder
        self.traffic = traffic
    }

    func respond(_ response: HTTPResponse) {
        var response = response
        switch response.body {
        case .none: break
        case .bytes(let bytes), .chunk(let bytes): traffic.add(sent: bytes.count)
        case .stream(let source, let length):
            response.body = .stream(
                CountedBodySource(source, traffic: traffic), length: length)
        }
        responder.respond(response)
    }

    func onClientGone(_ action: @escaping @Sendable () -> Void) { responder.onClientGone(action) }
    func onShutdown(_ action: @escaping @Sendable () -> Void) { responder.onShutdown(action) }
    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        responder.schedule(after: delay, action)
    }
}

private final class CountedBodySource: HTTPBodySource {
    private let source: any HTTPBodySource
    private let traffic: TrafficCounter

    init(_ source: any HTTPBodySource, traffic: TrafficCounter) {
        self.source = source
        self.traffic = traffic
    }

    func nextChunk(maximumBytes: Int) throws -> HTTPBodyPiece? {
        let chunk = try source.nextChunk(maximumBytes: maximumBytes)
        if let chunk { traffic.add(sent: chunk.count) }
        return chunk
    }

    func close() { source.close() }
}
