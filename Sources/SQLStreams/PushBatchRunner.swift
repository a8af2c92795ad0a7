internal import SQLite
internal import WireProtocol

/// Carries out a push: like any batch, except that nothing of it may be lost in silence.
///
/// - Triggers and foreign-key actions are off: the replica's change log already holds what they
///   did there.
/// - The replica sends no rollback: a change that the database refuses is skipped and the rest
///   commits, and rolling back instead would wedge the replica for ever. So each refused change is
///   recorded durably before the COMMIT.
/// - Where the refusal itself ended the transaction (`ON CONFLICT ROLLBACK`), the batch runs again
///   without that step.
/// - Where a change is refused and the transaction stays open for a later request to commit, all of
///   it is rolled back.
/// - Where the disk, the memory or a time limit failed, or the note of the replica's position, all
///   of it is rolled back and the replica sends it again.
final class PushBatchRunner {
    private let batch: Batch
    private let push: PushBatch
    private let runner: StatementRunner
    private let steps: BatchRunner
    private let recorder: (any RejectedChangeRecorder)?
    private let isStrict: Bool

    /// - Parameter isStrict: any refused change rolls everything back.
    init(
        _ batch: Batch, _ push: PushBatch, runner: StatementRunner, stored: StoredSQL,
        recorder: (any RejectedChangeRecorder)?, isStrict: Bool
    ) {
        self.batch = batch
        self.push = push
        self.runner = runner
        self.recorder = recorder
        self.isStrict = isStrict
        steps = BatchRunner(runner: runner, stored: stored)
    }

    /// What one run through the batch knows.
    private struct Round {
        /// The steps that are known to end the transaction, with their failures.
        let excluded: [Int: SQLFailure]
        var outcomes: [StepOutcome] = []
        /// Refused by the transaction that is open.
        var rejected: [RejectedChange] = []
    }

    /// A step's failure took the transaction with it.
    private struct LostTransaction: Error {
        let stepIndex: Int
        let failure: SQLFailure
    }

    func run(into writer: inout some BatchOutput) throws(StepFailure) {
        try runner.prepareToWrite()
        let timeLimit = runner.timeLimit
        runner.timeLimit = runner.pushTimeLimit
        defer { runner.timeLimit = timeLimit }
        let restore = try turnTriggersOff()
        defer { restore() }
        do {
            try runUntilNothingIsLost(into: &writer)
        } catch {
            runner.rollBack()
            throw error
        }
    }

    /// Each round but the last excludes one more step, so there are no more rounds than steps.
    private func runUntilNothingIsLost(
        into writer: inout some BatchOutput
    ) throws(StepFailure) {
        let wasAutocommit = runner.connection.isAutocommit
        var excluded: [Int: SQLFailure] = [:]
        while true {
            var round = Round(excluded: excluded)
            guard let lost = try runOnce(&round, into: &writer) else { return }
            // A transaction that was open before this batch cannot be run again from its start.
            guard wasAutocommit, excluded.updateValue(lost.failure, forKey: lost.stepIndex) == nil
            else { throw .broken(lost.failure) }
            writer.abandonRequest()
            writer.beginBatch()
        }
    }

    private func runOnce(
        _ round: inout Round, into writer: inout some BatchOutput
    ) throws(StepFailure) -> LostTransaction? {
        round.outcomes.reserveCapacity(batch.steps.count)
        for index in batch.steps.indices {
            guard steps.isDue(batch.steps[index].condition, outcomes: round.outcomes) else {
                writer.skipStep()
                round.outcomes.append(.skipped)
                continue
            }
            let wasAutocommit = runner.connection.isAutocommit
            guard let failure = try runStep(index, &round, into: &writer) else {
                round.outcomes.append(.succeeded)
                continue
            }
            if !wasAutocommit, runner.connection.isAutocommit {
                return LostTransaction(stepIndex: index, failure: failure)
            }
            try note(failure, of: batch.steps[index], at: index, in: &round)
            writer.failStep(failure)
            round.outcomes.append(.failed)
        }
        guard runner.connection.isAutocommit else {
            // What a later COMMIT makes of it, nobody would record.
            if let lost = round.rejected.first { throw .broken(lost.failure) }
            return nil
        }
        // Refused outside of a transaction: what else the batch did is committed by now.
        try record(round.rejected)?.resolved(committed: true)
        return nil
    }

    /// Returns the failure of a step that the rest of the push goes on without.
    private func runStep(
        _ index: Int, _ round: inout Round, into writer: inout some BatchOutput
    ) throws(StepFailure) -> SQLFailure? {
        let statement = batch.steps[index].statement
        if !round.excluded.isEmpty, let failure = round.excluded[index] { return failure }
        var control: StatementFacts.TransactionControl?
        do {
            let compiled = try steps.compile(statement)
            control = compiled.facts.transactionControl
            switch control {
            case .commit: try commit(statement, compiled, &round, into: &writer)
            case .rollback:
                try steps.run(statement, compiled, into: &writer)
                round.rejected = []
            case .begin, nil: try steps.run(statement, compiled, into: &writer)
            }
            return nil
        } catch {
            guard case .rejected(let failure) = error else { throw error }
            // Without BEGIN, COMMIT or the note of its position a push has no meaning.
            guard control == nil, index != push.positionStepIndex else { throw .broken(failure) }
            return failure
        }
    }

    private func note(
        _ failure: SQLFailure, of step: Batch.Step, at index: Int, in round: inout Round
    ) throws(StepFailure) {
        // Two replicas added the same column: they ignore this error, and nothing is lost.
        if failure.message.hasPrefix("duplicate column name: ") { return }
        if isStrict { throw .broken(failure) }
        round.rejected.append(
            RejectedChange(
                position: push.position, stepIndex: index,
                sql: (try? steps.sql(of: step.statement)) ?? "",
                arguments: step.statement.arguments,
                namedArguments: step.statement.namedArguments, failure: failure))
    }

    private func commit(
        _ statement: WireProtocol.Statement, _ compiled: CompiledStatement, _ round: inout Round,
        into writer: inout some BatchOutput
    ) throws(StepFailure) {
        let recorder = try record(round.rejected)
        var isCommitted = false
        defer { recorder?.resolved(committed: isCommitted) }
        try steps.run(statement, compiled, into: &writer)
        isCommitted = true
        round.rejected = []
    }

    /// Returns the recorder if there was anything to record, for the resolution.
    private func record(
        _ rejected: [RejectedChange]
    ) throws(StepFailure) -> (any RejectedChangeRecorder)? {
        guard !rejected.isEmpty, let recorder else { return nil }
        do { try recorder.record(rejected) } catch { throw .storage(error) }
        return recorder
    }

    /// Returns what puts the connection back.
    private func turnTriggersOff() throws(StepFailure) -> () -> Void {
        let connection = runner.connection
        do {
            let hadForeignKeys = try connection.areForeignKeysEnabled()
            try connection.setForeignKeysEnabled(false)
            try connection.setTriggersEnabled(false)
            return {
                try? connection.setTriggersEnabled(true)
                try? connection.setForeignKeysEnabled(hadForeignKeys)
            }
        } catch {
            throw .broken(SQLFailure(error))
        }
    }
}
