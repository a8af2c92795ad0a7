import Foundation

/// The recorded requests of a real client, from Tests/Fixtures.
struct RecordedRequests: Decodable {
    struct Request: Decodable {
        private let base64: String?
        private let jsonText: String?

        private enum CodingKeys: String, CodingKey {
            case base64 = "body_base64"
            case jsonText = "body_json_text"
        }

        var body: [UInt8] {
            if let text = jsonText { return Array(text.utf8) }
            return Array(Data(base64Encoded: base64 ?? "")!)
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
