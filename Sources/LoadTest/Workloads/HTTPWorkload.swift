/// GET of one URL, on any web server: what the others are compared with.
package final class HTTPWorkload: Workload {
    package let kinds = ["get"]
    private let path: String
    private let fields: [String]
    private let reconnects: Bool

    /// - Parameters:
    ///   - path: behind the target's.
    ///   - reconnects: each request takes a connection of its own.
    package init(path: String, fields: [String] = [], reconnects: Bool = false) {
        self.path = path
        self.fields = fields + (reconnects ? ["Connection: close"] : [])
        self.reconnects = reconnects
    }

    package func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        ConstantSession(
            request: RequestBytes.make("GET", database.target, path, fields: fields),
            needsNewConnection: reconnects)
    }
}
