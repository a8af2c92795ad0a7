package import HTTP

/// SQL over HTTP: one statement, again and again. `{id}` in it stands for the id of a random row.
package final class SQLWorkload: Workload {
    package static let standardStatement = "SELECT v FROM \(BenchTable.name) WHERE id = {id}"

    package let kinds = ["sql"]
    private let statement: String
    private let table: (rows: Int, rowSize: Int)

    package init(_ settings: BenchSettings) {
        statement = settings.statement ?? Self.standardStatement
        table = settings.tableShape
    }

    package func prepare(_ databases: [BenchDatabase]) throws(BenchError) {
        for database in databases {
            if table.rows > 0 {
                try BenchTable.prepare(database, rows: table.rows, rowSize: table.rowSize)
            }
        }
    }

    package func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        SQLSession(
            target: database.target, statement: statement, rows: table.rows, seed: UInt64(client))
    }
}

package final class SQLSession: ClientSession {
    private let target: TargetURL
    private let parts: [String]
    private let rows: UInt64
    private var generator: SplitMix
    private let constant: [UInt8]?
    private var failureScanner = TextScanner(#""type":"error""#)
    private var resultScanner = TextScanner(#""type":"ok""#)

    package init(target: TargetURL, statement: String, rows: Int, seed: UInt64) {
        self.target = target
        self.rows = UInt64(max(1, rows))
        generator = SplitMix(seed: seed)
        parts = statement.split(separator: "{id}", omittingEmptySubsequences: false).map {
            String($0)
        }
        constant =
            parts.count == 1
            ? RequestBytes.pipeline(target, PipelineJSON.execute([statement])) : nil
    }

    package func nextRequest() -> [UInt8] {
        failureScanner.reset()
        resultScanner.reset()
        if let constant { return constant }
        let id = generator.next() % rows + 1
        return RequestBytes.pipeline(
            target, PipelineJSON.execute([parts.joined(separator: "\(id)")]))
    }

    package func receive(_ body: Span<UInt8>) {
        failureScanner.receive(body)
        resultScanner.receive(body)
    }

    package func finish(_ head: HTTPResponseHead) -> SessionVerdict {
        guard resultScanner.isFound, !failureScanner.isFound else {
            return .failed("the statement was answered with an error")
        }
        return .completed(kind: 0)
    }
}
