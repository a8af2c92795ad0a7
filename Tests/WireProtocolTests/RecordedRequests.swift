import Foundation

/// The recorded requests of a real client, from Tests/Fixtures.
struct RecordedRequests: Decodable {
    struct Request: Decodable {
        let request_line: String
        let body_base64: String?
        let body_json_text: String?

        var body: [UInt8] {
            if let text = body_json_text { return Array(text.utf8) }
            return Array(Data(base64Encoded: body_base64 ?? "")!)
        }
    }

    let requests: [Request]

    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/turso-0.8.3")

    static func bodies(_ name: String) throws -> [[UInt8]] {
        let file = folder.appendingPathComponent(name + ".json")
        let recorded = try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
        return recorded.requests.map(\.body)
    }

    static func names(prefix: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasPrefix(prefix) && $0.hasSuffix(".json") }
            .map { String($0.dropLast(5)) }.sorted()
    }
}
