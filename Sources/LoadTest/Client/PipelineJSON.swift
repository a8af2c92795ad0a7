internal import WireProtocol

/// SQL pipelines as a client writes and reads them.
package enum PipelineJSON {
    package struct Result: Equatable {
        /// The error's message.
        package var failure: String?
        /// Of the first row; integers and text as they are, nil for null and other values.
        package var firstValue: String?
    }

    package struct Malformed: Error {}

    package static func execute(_ statements: [String]) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("requests")
        json.beginArray()
        for statement in statements {
            json.beginObject()
            json.key("type")
            json.literal("execute")
            json.key("stmt")
            json.beginObject()
            json.key("sql")
            json.string(statement)
            json.endObject()
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return json.bytes
    }

    package static func results(_ bytes: [UInt8]) throws -> [Result] {
        let document = try JSONDocument(parsing: bytes)
        guard let results = document.root["results"]?.array else { throw Malformed() }
        var found: [Result] = []
        for result in results {
            if result["type"]?.equals("error") == true {
                found.append(Result(failure: result["error"]?["message"]?.string ?? "error"))
                continue
            }
            var rows = result["response"]?["result"]?["rows"]?.array
            var row = rows?.next()?.array
            found.append(Result(firstValue: row?.next()?["value"]?.string))
        }
        return found
    }
}
