internal import HTTP
internal import Logging
internal import Primitives
internal import Storage
internal import WireProtocol

/// `/v1/namespaces/{name}/pins`: the partial replicas that history is kept for.
struct PinsEndpoint: Sendable {
    let logger: Logger

    static let unknownPin = HTTPFailure(
        status: 404, code: "pin_unknown", text: "the database has no such pin")

    static func list(_ lease: DatabaseLease) -> HTTPResponse {
        .json(200) { json in
            json.beginObject()
            json.key("pins")
            json.beginArray()
            for replica in lease.database.partialReplicas {
                json.beginObject()
                json.key("id")
                json.string(replica.id.hexadecimal)
                json.key("base")
                json.integer(replica.base.commit.rawValue)
                json.key("base_pages")
                json.integer(replica.base.databaseSize)
                json.key("echoed")
                json.integer(replica.echoed.commit.rawValue)
                json.key("position")
                json.integer(replica.sent.commit.rawValue)
                json.key("last_use")
                json.string(Logger.timestamp(secondsSince1970: replica.lastUse))
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
    }

    /// Answers when the replica is forgotten and its history freed.
    func drop(_ id: ReplicaID, _ lease: DatabaseLease, _ responder: any HTTPResponder) {
        lease.database.dropReplica(id) { [logger] result in
            switch result {
            case .success(true): responder.respond(.emptyObject)
            case .success(false): responder.respond(Self.unknownPin.response)
            case .failure(let error):
                responder.fail(error, database: lease.name, logger: logger)
            }
        }
    }
}
