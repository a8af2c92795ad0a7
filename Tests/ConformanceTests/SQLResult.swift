/// The answer to a pipeline of one statement.
struct SQLResult {
    struct Failure: Equatable {
        let message: String
        let code: String
    }

    /// Values as text: integers in decimal, blobs in base64, `NULL` for null.
    let rows: [[String]]
    let failure: Failure?

    init(_ reply: HTTPReply) {
        let results = reply.object["results"] as? [[String: Any]] ?? []
        let response = results.first?["response"] as? [String: Any]
        let result = response?["result"] as? [String: Any]
        let rows = result?["rows"] as? [[[String: Any]]] ?? []
        self.rows = rows.map { row in
            row.map { value in
                (value["value"] ?? value["base64"]).map { "\($0)" } ?? "NULL"
            }
        }
        let error = results.first?["error"] as? [String: Any]
        failure = error.map {
            Failure(
                message: $0["message"] as? String ?? "", code: $0["code"] as? String ?? "")
        }
    }
}
