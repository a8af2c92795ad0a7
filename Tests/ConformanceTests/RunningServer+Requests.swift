/// Requests, each over a connection of its own, as the Python client sends them.
extension RunningServer {
    func request(
        _ method: String, _ path: String, _ fields: [String] = [], body: [UInt8]? = nil
    ) throws -> HTTPReply {
        try Self.exchange(port: http, method, path, fields, body: body)
    }

    func adminRequest(
        _ method: String, _ path: String, _ fields: [String] = [], body: [UInt8]? = nil
    ) throws -> HTTPReply {
        // Every POST has a body, if an empty one.
        let body = body ?? (method == "POST" || method == "PUT" ? [] : nil)
        return try Self.exchange(port: admin, method, path, fields, body: body)
    }

    /// `database` of this server; it need not exist.
    func database(_ name: String) -> TestDatabase { TestDatabase(server: self, name: name) }

    private static func exchange(
        port: UInt16, _ method: String, _ path: String, _ fields: [String], body: [UInt8]?
    ) throws -> HTTPReply {
        let client = try RawClient(port: port)
        try client.send(
            RawClient.request(method, path, fields + ["Connection: close"], body: body))
        return try client.readReply(hasBody: method != "HEAD")
    }
}
