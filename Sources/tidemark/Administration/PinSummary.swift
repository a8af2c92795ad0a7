/// One line of `tidemark db pins`, with the keys of the admin API.
struct PinSummary: Codable, Equatable, Sendable {
    let id: String
    /// The commit that the replica bootstrapped with, and the size of the database then.
    let base: UInt64
    let basePages: UInt32
    /// The commit that it named last, and the one that it was sent last.
    let echoed: UInt64
    let position: UInt64
    /// RFC 3339.
    let lastUse: String

    enum CodingKeys: String, CodingKey {
        case id
        case base
        case basePages = "base_pages"
        case echoed
        case position
        case lastUse = "last_use"
    }
}
