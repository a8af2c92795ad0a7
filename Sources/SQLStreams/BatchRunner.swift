internal import WireProtocol

/// Carries out a batch step by step, each under its condition: a failing step is an answer, not an
/// end.
final class BatchRunner {
    private let runner: StatementRunner
    private let stored: StoredSQL

    init(runner: StatementRunner, stored: StoredSQL) {
        self.runner = runner
        self.stored = stored
    }

    func run(
        _ batch: Batch, into writer: inout some BatchOutput
    ) throws(StepFailure) {
        var outcomes: [StepOutcome] = []
        outcomes.reserveCapacity(batch.steps.count)
        for step in batch.steps {
            guard isDue(step.condition, outcomes: outcomes) else {
                writer.skipStep()
                outcomes.append(.skipped)
                continue
            }
            do {
                try run(step.statement, try compile(step.statement), into: &writer)
                outcomes.append(.succeeded)
            } catch {
                guard let failure = error.failure else { throw error }
                writer.failStep(failure)
                outcomes.append(.failed)
            }
        }
    }

    func isDue(_ condition: BatchCondition?, outcomes: [StepOutcome]) -> Bool {
        condition?.holds(
            outcomes: outcomes, isAutocommit: { runner.connection.isAutocommit }) ?? true
    }

    func compile(_ statement: WireProtocol.Statement) throws(StepFailure) -> CompiledStatement {
        try runner.compile(try sql(of: statement))
    }

    func sql(of statement: WireProtocol.Statement) throws(StepFailure) -> String {
        do { return try stored.text(of: statement.text) } catch { throw .rejected(error) }
    }

    func run(
        _ statement: WireProtocol.Statement, _ compiled: CompiledStatement,
        into writer: inout some StatementOutput
    ) throws(StepFailure) {
        try runner.run(
            compiled,
            arguments: .init(
                positional: statement.arguments, named: statement.namedArguments),
            wantsRows: statement.wantsRows, into: &writer)
    }
}
