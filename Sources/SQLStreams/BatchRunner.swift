internal import WireProtocol

/// Carries out a batch step by step, each under its condition: a failing step is an answer, not an
/// end.
struct BatchRunner {
    private let runner: StatementRunner
    private let stored: StoredSQL

    init(runner: StatementRunner, stored: StoredSQL) {
        self.runner = runner
        self.stored = stored
    }

    /// Hands each step's result to `sink` and returns how the steps ended.
    func run<Sink: ResultSink>(
        _ batch: Batch, into sink: inout Sink
    ) throws(StepFailure) -> [StepOutcome] {
        var outcomes: [StepOutcome] = []
        outcomes.reserveCapacity(batch.steps.count)
        for step in batch.steps {
            guard isDue(step, outcomes: outcomes) else {
                sink.noResult()
                outcomes.append(.skipped)
                continue
            }
            do {
                let compiled = try compile(step.statement)
                try run(step.statement, compiled, into: &sink)
                outcomes.append(.succeeded)
            } catch {
                guard let failure = error.failure else { throw error }
                sink.noResult()
                outcomes.append(.failed(failure))
            }
        }
        return outcomes
    }

    func isDue(_ step: Batch.Step, outcomes: [StepOutcome]) -> Bool {
        step.condition?.holds(
            outcomes: outcomes, isAutocommit: { runner.connection.isAutocommit }) ?? true
    }

    func compile(_ statement: WireProtocol.Statement) throws(StepFailure) -> CompiledStatement {
        let sql: String
        do { sql = try stored.text(of: statement.text) } catch { throw .rejected(error) }
        return try runner.compile(sql)
    }

    func run<Sink: ResultSink>(
        _ statement: WireProtocol.Statement, _ compiled: CompiledStatement, into sink: inout Sink
    ) throws(StepFailure) {
        try runner.run(
            compiled,
            arguments: .init(
                positional: statement.arguments, named: statement.namedArguments),
            wantsRows: statement.wantsRows, into: &sink)
    }
}
