package import Execution
package import HTTP
package import Logging
internal import Primitives
package import SQLStreams
package import Storage
internal import WireProtocol

/// The admin listener: databases made, listed, copied and removed, in the shapes that existing
/// tools use (docs/protocol.md, "Admin API").
package final class AdminEndpoints: HTTPHandler {
    let store: DatabaseStore
    let workers: WorkerPool
    let configuration: EndpointConfiguration
    let streams: StreamRegistry
    let logger: Logger

    package init(
        store: DatabaseStore, workers: WorkerPool, configuration: EndpointConfiguration,
        streams: StreamRegistry, logger: Logger
    ) {
        self.store = store
        self.workers = workers
        self.configuration = configuration
        self.streams = streams
        self.logger = logger
    }

    /// Bytes, before and after decompression; imports have no limit.
    private static let maximumBodySize = 1 << 20

    package func bodyHandling(for head: HTTPRequestHead) -> HTTPBodyHandling {
        do throws(HTTPFailure) {
            if case .importDatabase(let name) = try AdminRoute(head) {
                guard RequestBody.isIdentity(head) else { throw RequestBody.unknownCoding }
                return .stream(ImportSink(name: name, store: store, logger: logger))
            }
            return .buffer(maximumBytes: Self.maximumBodySize)
        } catch {
            return .refuse(error.response)
        }
    }

    package func handle(_ request: HTTPRequest, _ responder: any HTTPResponder) {
        let responder = EncodingResponder(
            LoggingResponder(responder, head: request.head, logger: logger),
            coding: EncodingResponder.coding(for: request.head),
            level: configuration.compressionLevel)
        do throws(HTTPFailure) {
            let route = try AdminRoute(request.head)
            let body = try RequestBody.decode(request, limit: Self.maximumBodySize)
            workers.submit { self.perform(route, body: body, responder) }
        } catch {
            responder.respond(error.response)
        }
    }

    private func perform(_ route: AdminRoute, body: [UInt8], _ responder: any HTTPResponder) {
        switch route {
        case .health: responder.respond(InfoEndpoint.health)
        case .version: responder.respond(InfoEndpoint.version(configuration))
        case .list: list(responder)
        case .acknowledge:
            responder.respond(
                .json(200) {
                    $0.beginObject()
                    $0.endObject()
                })
        case .create(let name):
            answer(name, responder) { () throws(StorageError) in try self.store.create(name) }
        case .delete(let name):
            store.delete(name) { [logger] error in
                if let error {
                    responder.fail(error, database: name, logger: logger)
                } else {
                    responder.respond(.emptyObject)
                }
            }
        case .importDatabase: preconditionFailure("imports stream their body")
        case .export(let name): export(name, responder)
        case .fork(let from, let to): fork(from, to: to, responder)
        case .stats(let name): withDatabase(name, responder) { self.stats($0, responder) }
        case .rejected(let name): withDatabase(name, responder) { self.rejected($0, responder) }
        case .checkpoint(let name):
            let endpoint = CheckpointEndpoint(logger: logger)
            withDatabase(name, responder) { endpoint.run($0, body: body, responder) }
        case .pins(let name):
            withDatabase(name, responder) { responder.respond(PinsEndpoint.list($0)) }
        case .dropPin(let id, let name):
            let endpoint = PinsEndpoint(logger: logger)
            withDatabase(name, responder) { endpoint.drop(id, $0, responder) }
        case .readConfig(let name):
            withDatabase(name, responder) {
                responder.respond(SettingsEndpoint.answer($0.database.settings))
            }
        case .writeConfig(let name):
            let endpoint = SettingsEndpoint(logger: logger)
            withDatabase(name, responder) { endpoint.change($0, body: body, responder) }
        }
    }

    private func answer(
        _ name: DatabaseName, _ responder: any HTTPResponder,
        _ work: () throws(StorageError) -> Void
    ) {
        do throws(StorageError) {
            try work()
            responder.respond(.emptyObject)
        } catch {
            responder.fail(error, database: name, logger: logger)
        }
    }

    private func withDatabase(
        _ name: DatabaseName, _ responder: any HTTPResponder,
        _ body: @escaping @Sendable (DatabaseLease) -> Void
    ) {
        store.acquire(name) { [logger] result in
            switch result {
            case .success(let lease): body(lease)
            case .failure(let error): responder.fail(error, database: name, logger: logger)
            }
        }
    }

    private func list(_ responder: any HTTPResponder) {
        let names = store.names
        let sizes = names.map { store.sizeOnDisk($0) }
        let revisions = names.map { store.openHead($0)?.wire }
        responder.respond(
            .json(200) { json in
                json.beginObject()
                json.key("namespaces")
                json.beginArray()
                for (index, name) in names.enumerated() {
                    json.beginObject()
                    json.key("name")
                    json.string(name.text)
                    json.key("size_bytes")
                    json.integer(sizes[index])
                    json.key("revision")
                    json.string(orNull: revisions[index])
                    json.endObject()
                }
                json.endArray()
                json.endObject()
            })
    }

    private func export(_ name: DatabaseName, _ responder: any HTTPResponder) {
        withDatabase(name, responder) { lease in
            do throws(StorageError) {
                let source = ExportSource(lease: lease, snapshot: try lease.database.snapshot())
                responder.respond(
                    HTTPResponse(
                        status: 200, headers: [("content-type", "application/vnd.sqlite3")],
                        body: .stream(source, length: nil)))
            } catch {
                responder.fail(error, database: name, logger: self.logger)
            }
        }
    }

    private func fork(_ from: DatabaseName, to: DatabaseName, _ responder: any HTTPResponder) {
        withDatabase(from, responder) { lease in
            self.workers.submit {
                self.answer(to, responder) { () throws(StorageError) in
                    let snapshot = try lease.database.snapshot()
                    try self.store.create(to, copying: snapshot)
                }
            }
        }
    }

    private func stats(_ lease: DatabaseLease, _ responder: any HTTPResponder) {
        do throws(StorageError) {
            let report = try StatisticsReport(
                lease, openStreams: streams.count(of: lease.database.databaseID))
            responder.respond(
                HTTPResponse(
                    status: 200, headers: [("content-type", "application/json")],
                    body: .bytes(report.json)))
        } catch {
            responder.fail(error, database: lease.name, logger: logger)
        }
    }

    private func rejected(_ lease: DatabaseLease, _ responder: any HTTPResponder) {
        var body = Array(#"{"rejected":["#.utf8)
        for (index, entry) in lease.database.rejectedEntries().enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += entry.payload
        }
        body += "]}".utf8
        responder.respond(
            HTTPResponse(
                status: 200, headers: [("content-type", "application/json")], body: .bytes(body)))
    }
}
