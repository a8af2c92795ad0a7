import Foundation

/// An answer as it came over the wire.
struct HTTPReply {
    var status = 0
    /// Names in lower case, in the order they came.
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// The sizes of the chunks; nil if the body was not chunked.
    var chunkSizes: [Int]?
    /// False if the connection ended before the body did: before Content-Length bytes, or before
    /// the final chunk.
    var isComplete = true

    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as a JSON object.
    var object: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
    }
}
