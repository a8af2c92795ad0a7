import Foundation

/// The recorded requests of a real client, from Tests/Fixtures.
struct RecordedRequests: Decodable {
    struct Request: Decodable {
        let request_line: String
        let headers: [String]
        let body_base64: String?
        let body_json_text: String?

        var body: [UInt8] {
            if let text = body_json_text { return Array(text.utf8) }
            return Array(Data(base64Encoded: body_base64 ?? "") ?? Data())
        }
    }

    let requests: [Request]

    static func load(_ name: String) throws -> [Request] {
        let file = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/turso-0.8.3/\(name).json")
        return try JSONDecoder().decode(Self.self, from: Data(contentsOf: file)).requests
    }
}

extension TestDatabase {
    /// Sends a recorded request, head and body as the client wrote them, to this database.
    func replay(_ request: RecordedRequests.Request) throws -> HTTPReply {
        let words = request.request_line.split(separator: " ")
        let path = words[1].hasPrefix("/db/") ? String(words[1]) : "/db/\(name)\(words[1])"
        let client = try RawClient(port: server.http)
        let lines = ["\(words[0]) \(path) \(words[2])"] + request.headers
        try client.send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + request.body)
        return try client.readReply()
    }
}
