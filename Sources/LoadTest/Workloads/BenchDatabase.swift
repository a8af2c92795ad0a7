internal import Synchronization
package import Transport
internal import WireProtocol

/// One database of the server under test, as the load generator prepares and checks it.
package struct BenchDatabase: Sendable {
    package let number: Int
    package let target: TargetURL
    package let address: SocketAddress
    package let control: ControlClient
    /// For files of a workload; it and all in it goes at the end.
    package let scratchDirectory: String

    /// Where a replica of this database stands.
    package struct Head: Sendable, Equatable {
        package let revision: String
        /// Pages.
        package let size: Int
    }

    // MARK: Pulls

    /// The newest revision. Asks for everything and hangs up after the header: asking for less
    /// would make a partial replica, which servers remember.
    package func head() throws(BenchError) -> Head {
        let reader = Mutex(PullHeaderReader())
        let status = try control.stream(RequestBytes.pull(target, []), to: target) { piece in
            reader.withLock { reader in
                reader.receive(piece)
                return !reader.isComplete
            }
        }
        guard status == 200 else {
            throw .server("\(target.optionText)/pull-updates answers with status \(status)")
        }
        guard let header = reader.withLock({ $0.header }) else {
            throw .server("\(target.optionText)/pull-updates answers no pull header")
        }
        return Head(revision: header.serverRevision, size: Int(clamping: header.databaseSize))
    }

    // MARK: SQL

    /// Runs statements in one request; each must succeed. The first value of the last one's first
    /// row, as text.
    @discardableResult
    package func sql(_ statements: [String]) throws(BenchError) -> String? {
        let body = PipelineJSON.execute(statements)
        let reply = try control.send(RequestBytes.pipeline(target, body), to: target)
        guard reply.status == 200 else {
            throw .server("\(target.optionText)/v2/pipeline answers \(reply.status): \(reply.text)")
        }
        let results: [PipelineJSON.Result]
        do {
            results = try PipelineJSON.results(reply.body)
        } catch {
            throw .server("\(target.optionText)/v2/pipeline answers no results")
        }
        for (index, result) in results.enumerated() {
            if let message = result.failure {
                let statement = index < statements.count ? statements[index].prefix(200) : ""
                throw .server("\(target.optionText): \(message) (\(statement))")
            }
        }
        guard results.count == statements.count else {
            throw .server("\(target.optionText)/v2/pipeline answers \(results.count) results")
        }
        return results.last?.firstValue
    }

    package func number(_ query: String) throws(BenchError) -> Int {
        guard let value = try sql([query]).flatMap({ Int($0) }) else {
            throw .server("\(target.optionText): no number for \(query)")
        }
        return value
    }
}
