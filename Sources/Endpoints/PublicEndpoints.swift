package import Execution
package import HTTP
package import Logging
internal import Primitives
package import SQLStreams
package import Storage
internal import WireProtocol

/// The listener for sync clients and SQL: finds the database and the route of a request, and
/// hands it to the endpoint (docs/protocol.md).
package final class PublicEndpoints: HTTPHandler {
    private enum Route {
        case health, version, probe
        case pull
        case pipeline(PipelineRequest.Form)
        case frames(FrameRoute)
    }

    /// Bytes of a body that any route takes.
    private static let smallBodySize = 4096

    private let store: DatabaseStore
    private let workers: WorkerPool
    private let configuration: EndpointConfiguration
    private let logger: Logger
    private let pull: PullEndpoint
    private let pipeline: PipelineEndpoint
    private let frameSync: FrameSyncEndpoint

    package init(
        store: DatabaseStore, workers: WorkerPool, configuration: EndpointConfiguration,
        streams: StreamRegistry, logger: Logger
    ) {
        self.store = store
        self.workers = workers
        self.configuration = configuration
        self.logger = logger
        pull = PullEndpoint(configuration: configuration, workers: workers, logger: logger)
        pipeline = PipelineEndpoint(
            configuration: configuration, streams: streams, logger: logger)
        frameSync = FrameSyncEndpoint(options: configuration.frameSync, logger: logger)
    }

    package func bodyHandling(for head: HTTPRequestHead) -> HTTPBodyHandling {
        if head.method == "OPTIONS" { return .refuse(CrossOrigin.preflight) }
        // Whatever the route is, so little may come; `handle` refuses what is wrong.
        if let length = head.contentLength, length <= UInt64(Self.smallBodySize) {
            return .buffer(maximumBytes: Self.smallBodySize)
        }
        do throws(HTTPFailure) {
            return .buffer(maximumBytes: maximumBodySize(of: try route(head).route))
        } catch {
            return .refuse(CrossOrigin.allow(error.response))
        }
    }

    /// Bytes, before and after decompression.
    private func maximumBodySize(of route: Route) -> Int {
        switch route {
        case .pull: min(PullRequest.maximumSize, configuration.maximumBodySize)
        case .pipeline: configuration.maximumBodySize
        case .frames(let route): min(route.maximumBodySize, configuration.maximumBodySize)
        case .health, .version, .probe: Self.smallBodySize
        }
    }

    package func handle(_ request: HTTPRequest, _ responder: any HTTPResponder) {
        let responder = LoggingResponder(
            responder, head: request.head, logger: logger, finish: CrossOrigin.allow)
        do throws(HTTPFailure) {
            let (route, reference) = try route(request.head)
            switch route {
            case .health: responder.respond(InfoEndpoint.health)
            case .version: responder.respond(InfoEndpoint.version(configuration))
            case .probe: responder.respond(HTTPResponse(status: 200))
            case .pull, .pipeline, .frames:
                perform(route, on: reference, request, responder)
            }
        } catch {
            responder.respond(error.response)
        }
    }

    private func perform(
        _ route: Route, on reference: DatabaseRoute.Reference, _ request: HTTPRequest,
        _ responder: any HTTPResponder
    ) {
        store.acquire(resolve(reference)) { result in
            switch result {
            case .failure(let error): responder.respond(Self.failure(error, route).response)
            case .success(let lease):
                lease.traffic.add(received: request.body.count)
                let counted = TrafficResponder(responder, traffic: lease.traffic)
                self.perform(route, on: lease, request, counted)
            }
        }
    }

    private func perform(
        _ route: Route, on lease: DatabaseLease, _ request: HTTPRequest,
        _ responder: any HTTPResponder
    ) {
        let limit = maximumBodySize(of: route)
        let coding = EncodingResponder.coding(for: request.head)
        if case .pull = route {
            Self.decode(request, limit: limit, responder) { body in
                pull.handle(body, coding: coding, lease: lease, responder: responder)
            }
            return
        }
        let responder = EncodingResponder(
            responder, coding: coding, level: configuration.compressionLevel)
        // Decompressing and parsing megabytes is no work for an event loop.
        workers.submit { [pipeline, frameSync] in
            Self.decode(request, limit: limit, responder) { body in
                switch route {
                case .frames(let route):
                    frameSync.handle(route, body: body, lease: lease, responder: responder)
                case .pipeline(let form):
                    pipeline.handle(body, form: form, lease: lease, responder: responder)
                case .pull, .health, .version, .probe: preconditionFailure("answered above")
                }
            }
        }
    }

    private static func failure(_ error: StorageError, _ route: Route) -> HTTPFailure {
        if case .frames(.pull) = route { return error.framePullFailure }
        return error.httpFailure
    }

    private static func decode(
        _ request: HTTPRequest, limit: Int, _ responder: any HTTPResponder,
        then use: ([UInt8]) -> Void
    ) {
        do throws(HTTPFailure) {
            use(try RequestBody.decode(request, limit: limit))
        } catch {
            responder.respond(error.response)
        }
    }

    /// Host names come in lower case; a database may have been named otherwise.
    private func resolve(_ reference: DatabaseRoute.Reference) -> DatabaseName {
        guard reference.ignoresCase, !store.contains(reference.name) else { return reference.name }
        let wanted = reference.name.text.lowercased()
        let candidates = store.names.filter { $0.text.lowercased() == wanted }
        return candidates.count == 1 ? candidates[0] : reference.name
    }

    private func route(
        _ head: HTTPRequestHead
    ) throws(HTTPFailure) -> (route: Route, database: DatabaseRoute.Reference) {
        if head.headers["x-turso-encryption-key"] != nil {
            throw HTTPFailure(
                status: 400, code: "encryption_not_supported",
                text: "this server does not encrypt databases; remove the encryption key")
        }
        let target: DatabaseRoute
        do {
            target = try DatabaseRoute(
                path: head.path, headers: head.headers, baseDomains: configuration.baseDomains)
        } catch {
            throw error.httpFailure
        }
        let known: (route: Route, methods: [String])
        switch target.path {
        case "/health": known = (.health, ["GET", "HEAD"])
        case "/version": known = (.version, ["GET", "HEAD"])
        case "/v2": known = (.probe, ["GET", "HEAD"])
        case "/pull-updates": known = (.pull, ["POST"])
        case "/v2/pipeline", "/v3/pipeline": known = (.pipeline(.pipeline), ["POST"])
        case "/v3/cursor": known = (.pipeline(.cursor), ["POST"])
        default:
            if let route = try FrameRoute(path: target.path, method: head.method) {
                return (.frames(route), target.database)
            }
            throw HTTPFailure(
                status: 404, code: "not_found", text: "there is nothing at this path")
        }
        guard known.methods.contains(head.method) else {
            throw .methodNotAllowed(known.methods)
        }
        return (known.route, target.database)
    }
}
