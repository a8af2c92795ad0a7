internal import HTTP
internal import WireProtocol

/// `GET /health` and `GET /version`, on both listeners.
enum InfoEndpoint {
    static let health = HTTPResponse.json(200) { json in
        json.beginObject()
        json.key("status")
        json.string("ok")
        json.endObject()
    }

    static func version(_ configuration: EndpointConfiguration) -> HTTPResponse {
        .json(200) { json in
            json.beginObject()
            json.key("name")
            json.string("tidemark")
            json.key("version")
            json.string(configuration.version)
            json.endObject()
        }
    }
}

extension HTTPResponse {
    static func json(_ status: Int, _ write: (inout JSONWriter) -> Void) -> HTTPResponse {
        var writer = JSONWriter()
        write(&writer)
        return HTTPResponse(
            status: status, headers: [("content-type", "application/json")],
            body: .bytes(writer.bytes))
    }

    static let emptyObject = HTTPResponse.json(200) { json in
        json.beginObject()
        json.endObject()
    }
}
