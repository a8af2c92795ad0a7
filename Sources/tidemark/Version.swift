/// The release; `GET /version` and `tidemark version` show it.
enum Version {
    static let text = "0.1.0"
}
