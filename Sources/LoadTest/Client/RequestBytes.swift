/// Requests as they travel, made once and sent many times.
package enum RequestBytes {
    /// - Parameters:
    ///   - path: behind the target's own.
    ///   - fields: whole lines, without their ends.
    package static func make(
        _ method: String, _ target: TargetURL, _ path: String, fields: [String] = [],
        body: [UInt8]? = nil, length: Int? = nil
    ) -> [UInt8] {
        let full = target.path + path
        var lines = [
            "\(method) \(full.isEmpty ? "/" : full) HTTP/1.1", "Host: \(target.authority)",
        ]
        lines += fields
        if let length = length ?? body?.count { lines.append("Content-Length: \(length)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? [])
    }

    /// A pull, with the fields that the SDKs send.
    package static func pull(
        _ target: TargetURL, _ body: [UInt8], fields: [String] = []
    ) -> [UInt8] {
        make(
            "POST", target, "/pull-updates",
            fields: [
                "Content-Type: application/protobuf", "Accept-Encoding: application/protobuf",
                "User-Agent: tidemark-bench",
            ] + fields, body: body)
    }

    /// A pipeline of SQL.
    package static func pipeline(_ target: TargetURL, _ json: [UInt8]) -> [UInt8] {
        make(
            "POST", target, "/v2/pipeline",
            fields: [
                "Content-Type: application/json", "Accept-Encoding: identity",
                "User-Agent: tidemark-bench",
            ], body: json)
    }
}
