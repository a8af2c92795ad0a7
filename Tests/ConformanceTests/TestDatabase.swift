import Foundation
import XCTest

/// One database of a running server, as clients and operators reach it.
struct TestDatabase {
    let server: RunningServer
    let name: String

    // MARK: pulls

    /// What every SDK sends with a pull.
    static let pullFields = [
        "Content-Type: application/protobuf", "Accept-Encoding: application/protobuf",
        "Authorization: Bearer TOKEN", "User-Agent: turso-sync-py",
    ]

    func pullReply(_ body: PullBody = PullBody(), fields: [String] = pullFields) throws -> HTTPReply {
        try server.request("POST", "/db/\(name)/pull-updates", fields, body: body.bytes)
    }

    /// An answer that is right in every respect that does not depend on the question.
    func pull(
        _ body: PullBody = PullBody(), file: StaticString = #filePath, line: UInt = #line
    ) throws -> PulledPages {
        try PulledPages(try pullReply(body), file: file, line: line)
    }

    // MARK: SQL

    func pipeline(_ json: String) throws -> HTTPReply {
        try server.request(
            "POST", "/db/\(name)/v2/pipeline", ["Content-Type: application/json"],
            body: Array(json.utf8))
    }

    /// Runs one statement, which must succeed; arguments are values in their JSON form.
    @discardableResult
    func sql(
        _ sql: String, _ arguments: String..., file: StaticString = #filePath, line: UInt = #line
    ) throws -> SQLResult {
        let statement =
            #"{"sql":\#(JSONText.string(sql)),"args":[\#(arguments.joined(separator: ","))]}"#
        let reply = try pipeline(#"{"requests":[{"type":"execute","stmt":\#(statement)}]}"#)
        XCTAssertEqual(reply.status, 200, "\(sql): \(reply.text)", file: file, line: line)
        let result = SQLResult(reply)
        XCTAssertNil(result.failure, "\(sql): \(reply.text)", file: file, line: line)
        return result
    }

    /// What one statement was refused with; nil if it succeeded.
    func failure(of sql: String) throws -> SQLResult.Failure? {
        SQLResult(
            try pipeline(
                #"{"requests":[{"type":"execute","stmt":{"sql":\#(JSONText.string(sql))}}]}"#)
        ).failure
    }

    // MARK: administration

    func admin(_ method: String, _ action: String, body: [UInt8]? = nil) throws -> HTTPReply {
        try server.adminRequest(method, "/v1/namespaces/\(name)\(action)", body: body)
    }

    func statistic(_ key: String) throws -> Int {
        (try admin("GET", "/stats").object[key] as? Int) ?? -1
    }

    var rejected: [[String: Any]] {
        get throws { try admin("GET", "/rejected").object["rejected"] as? [[String: Any]] ?? [] }
    }

    /// The newest state as the server exports it.
    func export() throws -> DatabaseImage {
        let reply = try admin("GET", "/export")
        XCTAssertEqual(reply.status, 200)
        XCTAssertTrue(reply.isComplete)
        return DatabaseImage(bytes: reply.body)
    }
}

enum JSONText {
    /// A JSON string.
    static func string(_ text: String) -> String {
        let data = try? JSONSerialization.data(withJSONObject: [text])
        return String(String(decoding: data ?? Data(), as: UTF8.self).dropFirst().dropLast())
    }
}
