package import Primitives
package import SQLite
package import Storage
package import WireProtocol

/// Finds the pages that a client's query touches: runs it once, on a connection with a cold cache
/// that can only read, and drops its rows.
///
/// The pages of the schema are among them, and page 1 always. What the query would touch beyond a
/// limit is missing; a replica fetches missing pages when it needs them.
package struct QueryTrace: Sendable {
    package struct Limits: Sendable {
        package var time: Duration = .seconds(10)
        /// Pages.
        package var pageCount = 65_536

        package init() {}
    }

    package struct Outcome: Equatable, Sendable {
        /// Ascending, each page once.
        package let pages: [PageNumber]
        /// Why there may be more; nil if the query came to its end.
        package let cut: PageReadTrace.Cut?
    }

    package enum Failure: Error {
        /// The text is not one statement that reads, or the statement failed by its own fault.
        case refused(SQLFailure)
        /// The server failed, not the statement.
        case broken(SQLFailure)
        case storage(StorageError)
    }

    package typealias Completion = @Sendable (Result<Outcome, Failure>) -> Void

    private let limits: Limits

    package init(limits: Limits) { self.limits = limits }

    /// Calls `completion` once, on a worker or the thread that calls.
    ///
    /// - Returns: makes the query end soon; `completion` then gets the pages found so far.
    package func run(
        _ sql: String, database: Database, completion: @escaping Completion
    ) -> @Sendable () -> Void {
        let trace = PageReadTrace(maximumPageCount: limits.pageCount)
        database.read(
            isFresh: true, { connection in pages(of: sql, connection, trace) },
            completion: { result in
                completion(result.mapError { .storage($0) }.flatMap { $0 })
            })
        return trace.stop
    }

    /// - Parameter connection: has not read anything yet.
    func pages(
        of sql: String, _ connection: Connection, _ trace: PageReadTrace
    ) -> Result<Outcome, Failure> {
        guard !trace.isStopped else { return .success(Outcome(pages: [], cut: .stopped)) }
        do throws(SQLiteError) {
            try connection.traceReads(into: trace)
            // Also for a query of no table: every client reads the schema.
            try connection.execute("SELECT count(*) FROM sqlite_schema")
        } catch {
            return outcome(of: .broken(SQLFailure(error)), trace)
        }
        var sqlLimits = SQLLimits()
        sqlLimits.statementTime = limits.time
        let runner = StatementRunner(
            connection: connection, role: .reader, limits: sqlLimits, isSynced: true)
        runner.begin()
        defer { runner.end() }
        do throws(StepFailure) {
            let compiled = try runner.compile(sql)
            // BEGIN and SAVEPOINT only read as well, in SQLite's eyes.
            let returnsRows = compiled.statement.columnCount > 0
            guard returnsRows || !compiled.statement.isReadOnly else {
                throw .rejected(.noQuery)
            }
            var rows = DiscardedOutput()
            try runner.run(compiled, wantsRows: false, into: &rows)
        } catch {
            return outcome(of: error, trace)
        }
        return .success(Outcome(pages: trace.pages, cut: nil))
    }

    private func outcome(
        of failure: StepFailure, _ trace: PageReadTrace
    ) -> Result<Outcome, Failure> {
        switch failure {
        case .needsWriter: return .failure(.refused(.readOnly))
        case .rejected(let failure): return .failure(.refused(failure))
        case .broken(let failure):
            guard let cut = trace.cut else { return .failure(.broken(failure)) }
            return .success(Outcome(pages: trace.pages, cut: cut))
        case .storage: preconditionFailure("a reader makes nothing ready for a write")
        }
    }
}
