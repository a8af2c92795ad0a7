import XCTest

/// Pieces of requests to streams.
enum StreamRequests {
    static func execute(_ sql: String) -> String {
        #"{"type":"execute","stmt":{"sql":\#(JSONText.string(sql))}}"#
    }

    static func body(_ baton: String?, _ requests: String) -> String {
        #"{"baton":\#(baton.map(JSONText.string) ?? "null"),"requests":[\#(requests)]}"#
    }
}

extension TestDatabase {
    /// Statements on a stream; `close` is a request of its own.
    func stream(_ baton: String?, _ sql: [String]) throws -> HTTPReply {
        let requests = sql.map { $0 == "close" ? #"{"type":"close"}"# : StreamRequests.execute($0) }
        return try pipeline(StreamRequests.body(baton, requests.joined(separator: ",")))
    }

    /// Sends a request whose answer is read later.
    func sendPipeline(_ json: String) throws -> RawClient {
        let client = try RawClient(port: server.http)
        try client.send(
            RawClient.request("POST", "/db/\(name)/v2/pipeline", body: Array(json.utf8)))
        return client
    }
}

extension HTTPReply {
    /// Of a stream that goes on: 128 bits in hexadecimal digits. Throws if there is none.
    var baton: String {
        get throws {
            let baton = try XCTUnwrap(object["baton"] as? String, text)
            XCTAssertNotNil(baton.wholeMatch(of: #/[0-9a-f]{32}/#), baton)
            return baton
        }
    }
}
