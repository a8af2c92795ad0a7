internal import SQLite

/// Has SQLite parse a pushed schema, and refuses what replicas cannot hold.
struct SchemaCheck {
    private let image: PushedImage
    private let limits: ImageCheck.Limits

    init(_ image: PushedImage, limits: ImageCheck.Limits) {
        self.image = image
        self.limits = limits
    }

    func run(_ rows: [SchemaRow]) throws(ImageCheckStop) {
        let problems = SchemaRules.problems(of: rows)
        guard problems.isEmpty else { throw .faults(problems) }
        let found: [String]
        do throws(SQLiteError) {
            found = try fatalProblems()
        } catch {
            if let failure = image.failure { throw .source(failure) }
            switch error.primaryCode {
            case .noMemory: throw .source(error)
            case .interrupt: throw .fault("the schema takes too long to check")
            default: throw .fault("the schema cannot be read: \(error.message.prefix(200))")
            }
        }
        guard found.isEmpty else { throw .faults(found) }
    }

    private func fatalProblems() throws(SQLiteError) -> [String] {
        let connection = try Connection.open(image: image)
        defer { connection.close() }
        connection.setLimit(.sqlLength, to: limits.schemaSize)
        connection.setLimit(.length, to: limits.schemaSize)
        connection.setProgressDeadline(.now + limits.schemaTime)
        return try ReplicaCompatibility.schemaProblems(connection).map(\.description)
    }
}
