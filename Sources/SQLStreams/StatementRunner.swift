internal import SQLite
internal import WireProtocol

/// Runs the statements of one request on one connection: compiles them under the client policy,
/// binds, enforces limits, and keeps out of the database what replicas cannot hold.
final class StatementRunner {
    let connection: Connection
    let role: PipelineRunner.Role
    private let limits: SQLLimits
    private let isSynced: Bool
    private let policy: ClientPolicy
    private var cache = StatementCache()
    private var isReadyToWrite = false
    /// Something stays behind on the connection that the next user must not see.
    private(set) var isConnectionDirty = false
    private var wasBeginLast = false
    /// How long each statement may run.
    var timeLimit: Duration

    init(
        connection: Connection, role: PipelineRunner.Role, limits: SQLLimits, isSynced: Bool
    ) {
        self.connection = connection
        self.role = role
        self.limits = limits
        self.isSynced = isSynced
        policy = ClientPolicy(isSynced: isSynced)
        timeLimit = limits.statementTime
    }

    /// Puts the connection under the client policy and the limits.
    ///
    /// - Parameters:
    ///   - isNewConnection: the client's transaction is not open on it.
    ///   - isDirty: something that must not outlive that transaction is on it already.
    func begin(isNewConnection: Bool = true, isDirty: Bool = false) {
        isConnectionDirty = isDirty
        // Where memory is too short for this, a statement that needs it fails with its own error.
        try? connection.registerGenerateSeries()
        connection.setAuthorizer(policy)
        connection.setLimit(.length, to: limits.valueSize)
        connection.setLimit(.sqlLength, to: limits.sqlSize)
        connection.setLimit(.expressionDepth, to: limits.expressionDepth)
        connection.setLimit(.variableNumber, to: limits.parameterCount)
        if isNewConnection { connection.lastInsertRowID = 0 }
    }

    /// Carries out the client's BEGIN, which an earlier request had.
    func beginTransaction() {
        // Begins nothing yet that could fail.
        try? trusted { try $0.execute("BEGIN") }
        wasBeginLast = true
    }

    /// A transaction is open, and nothing was done in it: it sees no state yet, and holds no lock.
    var hasOnlyBegun: Bool {
        wasBeginLast && !connection.isAutocommit && connection.transactionState == .none
    }

    /// Takes policy and deadline away again, so that the connection's owner is free of them.
    func end() {
        cache = StatementCache()
        connection.setProgressDeadline(nil)
        connection.setAuthorizer(nil)
    }

    var pushTimeLimit: Duration { limits.pushStatementTime }
    var compileCount: Int { cache.compileCount }

    // MARK: Compiling

    /// The only statement of `sql`, from the cache if it was compiled before.
    func compile(_ sql: String) throws(StepFailure) -> CompiledStatement {
        if let repeated = cache.repeated(sql) { return repeated }
        return try cache.statement(for: sql) { () throws(StepFailure) in try compileOnly(sql) }
    }

    /// Compiles the only statement of `sql` against the newest schema, not to run it but to show
    /// what it is.
    func compileToDescribe(_ sql: String) throws(StepFailure) -> CompiledStatement {
        readSchemaIfChanged()
        return try compileOnly(sql)
    }

    private func compileOnly(_ sql: String) throws(StepFailure) -> CompiledStatement {
        let script = SQLScript(sql)
        let (compiled, end) = try compileNext(of: script, from: 0)
        guard let compiled else { throw .rejected(.noStatement) }
        guard script.isBlank(from: end) else { throw .rejected(.manyStatements) }
        return compiled
    }

    /// The next statement of a script, or nil at its end; and the offset behind it.
    func compileNext(
        of script: SQLScript, from offset: Int
    ) throws(StepFailure) -> (compiled: CompiledStatement?, end: Int) {
        guard !script.holdsNUL else { throw .rejected(.holdsNUL) }
        do {
            return try prepareNext(of: script, from: offset)
        } catch {
            // Perhaps the schema that SQLite remembers is not the newest: it looks only for some
            // errors, among them not `table t has 2 columns but 3 values were supplied`.
            guard error.primaryCode == .error else { throw stepFailure(error) }
        }
        readSchemaIfChanged()
        do { return try prepareNext(of: script, from: offset) } catch { throw stepFailure(error) }
    }

    private func prepareNext(
        of script: SQLScript, from offset: Int
    ) throws(SQLiteError) -> (compiled: CompiledStatement?, end: Int) {
        policy.begin()
        let (statement, end) = try connection.prepare(script, from: offset)
        guard let statement else { return (nil, end) }
        var facts = policy.facts
        facts.isVacuum = script.keyword(from: offset) == "VACUUM"
        return (CompiledStatement(statement: statement, facts: facts), end)
    }

    /// SQLite compares its schema with the file's when a statement runs, not when one is compiled.
    private func readSchemaIfChanged() {
        // Where this fails, so does what follows, and says why.
        try? trusted { try $0.execute("SELECT 1 FROM main.sqlite_schema LIMIT 0") }
    }

    // MARK: Running

    /// Binds and runs a statement to its end and hands its result to `output`, which holds half a
    /// result if this fails. The statement is ready for its next use afterwards.
    func run<Output: StatementOutput>(
        _ compiled: CompiledStatement, arguments: ArgumentBinder.Arguments = .init(),
        wantsRows: Bool = true, into output: inout Output
    ) throws(StepFailure) {
        let (statement, facts) = (compiled.statement, compiled.facts)
        defer {
            statement.reset()
            statement.clearBindings()
        }
        try ArgumentBinder.bind(arguments, to: statement)
        try prepareToRun(compiled)
        wasBeginLast = facts.transactionControl == .begin && connection.isAutocommit
        if let mode = facts.checkpointMode, !statement.isExplain {
            return try runCheckpoint(mode, statement, wantsRows: wantsRows, into: &output)
        }
        if facts.isVacuum { truncateWALBeforeVacuum() }
        defer { policy.mode = .client }
        policy.mode = facts.isVacuum ? .vacuum : .client
        policy.begin()
        connection.setTimeLimit(timeLimit)
        if facts.changesSchema, isSynced, !statement.isExplain {
            try runSchemaChange(statement)
            output.begin(statement)
        } else {
            try stepThrough(statement, wantsRows: wantsRows, into: &output)
        }
        let isChange = facts.changesRows && !statement.isExplain
        output.end(
            affectedRowCount: isChange ? connection.changes : 0,
            lastInsertRowID: isChange && facts.isInsert ? connection.lastInsertRowID : nil)
    }

    /// Refuses writes on a reader before anything happened, and announces the first one otherwise.
    private func prepareToRun(_ compiled: CompiledStatement) throws(StepFailure) {
        guard !compiled.statement.isExplain else { return }
        let facts = compiled.facts
        let outlives = facts.touchesTemporaryObjects || facts.changesConnection
        // What outlives the request is left to the writer, so that a reader is always clean.
        if outlives || facts.isOptimize || facts.isVacuum || !compiled.statement.isReadOnly {
            try prepareToWrite()
        }
        if outlives { isConnectionDirty = true }
    }

    func prepareToWrite() throws(StepFailure) {
        guard !isReadyToWrite else { return }
        switch role {
        case .reader: throw .needsWriter
        case .writer(let prepare, _):
            do { try prepare() } catch { throw .storage(error) }
            isReadyToWrite = true
        }
    }

    private func stepThrough<Output: StatementOutput>(
        _ statement: SQLite.Statement, wantsRows: Bool, into output: inout Output
    ) throws(StepFailure) {
        do {
            var hasRow = try statement.step()
            // Not before: the first step compiles again after a schema change, and then the
            // columns may be others.
            output.begin(statement)
            while hasRow {
                if wantsRows { output.row(of: statement) }
                if output.byteCount > limits.responseSize {
                    abort(statement)
                    throw StepFailure.broken(.responseTooLarge(limit: limits.responseSize))
                }
                hasRow = try statement.step()
            }
        } catch let error as SQLiteError {
            throw stepFailure(error)
        } catch let failure as StepFailure {
            throw failure
        } catch {
            preconditionFailure("stepping throws nothing else")
        }
    }

    /// Ends a statement in the middle of its rows without effect. A reset alone would commit what
    /// an `INSERT … RETURNING` has done by then.
    private func abort(_ statement: SQLite.Statement) {
        guard !statement.isReadOnly else { return }
        connection.interrupt()
        _ = try? statement.step()
    }

    func stepFailure(_ error: SQLiteError) -> StepFailure {
        if case .reader = role, error.primaryCode == .readOnly { return .needsWriter }
        // SQLite reports a refusal of the policy as `not authorized`, or wrapped in other words.
        if let refusal = policy.refusal { return .rejected(refusal) }
        if error.primaryCode == .interrupt, connection.isDeadlinePassed {
            return .broken(.timeLimit(timeLimit))
        }
        if error.primaryCode == .interrupt, connection.isStopped { return .broken(.snapshotTooOld) }
        let failure = SQLFailure(error)
        return error.isFaultOfStatement ? .rejected(failure) : .broken(failure)
    }

    func rollBack() {
        guard !connection.isAutocommit else { return }
        try? trusted { try $0.execute("ROLLBACK") }
    }

    /// Runs SQL of our own past the client policy.
    func trusted<Value>(
        _ body: (Connection) throws -> Value
    ) rethrows -> Value {
        let mode = policy.mode
        policy.mode = .trusted
        defer { policy.mode = mode }
        return try body(connection)
    }
}
