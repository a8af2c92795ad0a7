internal import HTTP
internal import Primitives

/// What a request to the admin listener asks for. Pure.
enum AdminRoute: Equatable {
    case health
    case version
    case list
    case create(DatabaseName)
    case delete(DatabaseName)
    case importDatabase(DatabaseName)
    case export(DatabaseName)
    case fork(from: DatabaseName, to: DatabaseName)
    case stats(DatabaseName)
    case rejected(DatabaseName)
    case checkpoint(DatabaseName)
    case pins(DatabaseName)
    case dropPin(ReplicaID, DatabaseName)
    case readConfig(DatabaseName)
    case writeConfig(DatabaseName)
    /// Something that needs no making here: tenants and groups exist by being named.
    case acknowledge

    init(_ head: HTTPRequestHead) throws(HTTPFailure) {
        let parts = head.path.split(separator: "/").map(String.init)
        switch (head.method, parts.count) {
        case ("GET", 1) where parts == ["health"]: self = .health
        case ("GET", 1) where parts == ["version"]: self = .version
        case ("GET", 2) where parts == ["v1", "namespaces"]: self = .list
        case (_, 3...) where parts.starts(with: ["v1", "namespaces"]):
            self = try Self.namespace(head.method, Array(parts.dropFirst(2)))
        case ("POST", 3...) where parts.starts(with: ["v1", "tenants"]):
            self = try Self.tenant(Array(parts.dropFirst(2)))
        default: throw Self.notFound
        }
        // `?mode=truncate` must not pass for a PASSIVE checkpoint.
        if case .checkpoint = self, head.query != nil {
            throw CheckpointEndpoint.malformed("the mode belongs into the body, as JSON")
        }
    }

    private static let notFound = HTTPFailure(
        status: 404, code: "not_found", text: "the admin API has nothing at this path")

    /// `parts` follow `/v1/namespaces`.
    private static func namespace(
        _ method: String, _ parts: [String]
    ) throws(HTTPFailure) -> AdminRoute {
        let name = try name(parts[0])
        let action = parts.count > 1 ? parts[1] : ""
        switch (method, action, parts.count) {
        case ("DELETE", "", 1): return .delete(name)
        case ("POST", "create", 2): return .create(name)
        case ("PUT", "import", 2), ("POST", "import", 2): return .importDatabase(name)
        case ("GET", "export", 2): return .export(name)
        case ("GET", "stats", 2): return .stats(name)
        case ("GET", "rejected", 2): return .rejected(name)
        case ("GET", "pins", 2): return .pins(name)
        case ("DELETE", "pins", 3):
            guard let id = ReplicaID(hexadecimal: parts[2]) else { throw PinsEndpoint.unknownPin }
            return .dropPin(id, name)
        case ("GET", "config", 2): return .readConfig(name)
        case ("POST", "checkpoint", 2): return .checkpoint(name)
        case ("POST", "config", 2): return .writeConfig(name)
        case ("POST", "fork", 3): return .fork(from: name, to: try Self.name(parts[2]))
        default: throw notFound
        }
    }

    /// `parts` follow `/v1/tenants`: `{tenant}[/groups/{group}[/databases/{database}]]`. The
    /// database's name is the label by which Host names call it.
    private static func tenant(_ parts: [String]) throws(HTTPFailure) -> AdminRoute {
        let tenant = try name(parts[0])
        if parts.count == 1 { return .acknowledge }
        guard parts.count >= 3, parts[1] == "groups" else { throw notFound }
        let group = try name(parts[2])
        if parts.count == 3 { return .acknowledge }
        guard parts.count == 5, parts[3] == "databases" else { throw notFound }
        return .create(try name("\(try name(parts[4]).text)--\(group.text)--\(tenant.text)"))
    }

    private static func name(_ text: String) throws(HTTPFailure) -> DatabaseName {
        guard let name = DatabaseName(text) else {
            throw DatabaseRoute.Failure.invalidName.httpFailure
        }
        return name
    }
}
