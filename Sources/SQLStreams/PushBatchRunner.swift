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
/// - Where the disk, the memory or a time limit failed, or the note of the replica's position, all
///   of it is rolled back and the replica sends it again.
struct PushBatchRunner {
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

    /// How one run through the batch ended.
    private enum Ending {
        case finished([StepOutcome])
        /// The step's failure took the transaction with it.
        case endedBy(step: Int, StatementFailure)
    }

    func run<Sink: ResultSink>(
        into sink: inout Sink
    ) throws(StepFailure) -> [StepOutcome] {
        try runner.prepareToWrite()
        let timeLimit = runner.timeLimit
        runner.timeLimit = runner.pushTimeLimit
        defer { runner.timeLimit = timeLimit }
        let restore = try turnTriggersOff()
        defer { restore() }

        let mark = sink.mark
        let wasAutocommit = runner.connection.isAutocommit
        var excluded: [Int: StatementFailure] = [:]
        do {
            while true {
                switch try runOnce(without: excluded, into: &sink) {
                case .finished(let outcomes): return outcomes
                case .endedBy(let step, let failure):
                    // Each round excludes one more step, so there are no more rounds than steps.
                    // A transaction that was open before cannot be run again from its start.
                    guard wasAutocommit, excluded[step] == nil else {
                        throw StepFailure.broken(failure)
                    }
                    excluded[step] = failure
                    sink.rollBack(to: mark)
                }
            }
        } catch {
            rollBack()
            sink.rollBack(to: mark)
            guard let failure = error as? StepFailure else {
                preconditionFailure("a step throws nothing else")
            }
            throw failure
        }
    }

    private func runOnce<Sink: ResultSink>(
        without excluded: [Int: StatementFailure], into sink: inout Sink
    ) throws(StepFailure) -> Ending {
        var outcomes: [StepOutcome] = []
        outcomes.reserveCapacity(batch.steps.count)
        var rejected: [RejectedChange] = []
        for (index, step) in batch.steps.enumerated() {
            guard steps.isDue(step, outcomes: outcomes) else {
                sink.noResult()
                outcomes.append(.skipped)
                continue
            }
            let wasAutocommit = runner.connection.isAutocommit
            var control: StatementFacts.TransactionControl?
            do {
                if let failure = excluded[index] { throw StepFailure.rejected(failure) }
                let compiled = try steps.compile(step.statement)
                control = compiled.facts.transactionControl
                if control == .commit {
                    try commit(step, compiled, rejected, into: &sink)
                    rejected = []
                } else {
                    try steps.run(step.statement, compiled, into: &sink)
                }
                outcomes.append(.succeeded)
            } catch let error as StepFailure {
                guard case .rejected(let failure) = error, control == nil,
                    index != push.positionStepIndex
                else { throw Self.final(error) }
                if !wasAutocommit, runner.connection.isAutocommit {
                    return .endedBy(step: index, failure)
                }
                try note(failure, of: step, at: index, in: &rejected)
                sink.noResult()
                outcomes.append(.failed(failure))
            } catch {
                preconditionFailure("a step throws nothing else")
            }
        }
        return .finished(outcomes)
    }

    /// Failures of BEGIN, COMMIT and the note of the position end the push.
    private static func final(_ error: StepFailure) -> StepFailure {
        if case .rejected(let failure) = error { return .broken(failure) }
        return error
    }

    private func note(
        _ failure: StatementFailure, of step: Batch.Step, at index: Int,
        in rejected: inout [RejectedChange]
    ) throws(StepFailure) {
        // Two replicas that added the same column: they ignore this error, and nothing is lost.
        if failure.message.hasPrefix("duplicate column name: ") { return }
        if isStrict { throw .broken(failure) }
        rejected.append(
            RejectedChange(
                position: push.position, stepIndex: index, sql: step.statement.text.sql ?? "",
                arguments: step.statement.arguments, failure: failure))
    }

    private func commit<Sink: ResultSink>(
        _ step: Batch.Step, _ compiled: CompiledStatement, _ rejected: [RejectedChange],
        into sink: inout Sink
    ) throws(StepFailure) {
        guard !rejected.isEmpty, let recorder else {
            return try steps.run(step.statement, compiled, into: &sink)
        }
        do { try recorder.record(rejected) } catch { throw .storage(error) }
        var isCommitted = false
        defer { recorder.resolved(committed: isCommitted) }
        try steps.run(step.statement, compiled, into: &sink)
        isCommitted = true
    }

    private func rollBack() {
        guard !runner.connection.isAutocommit else { return }
        try? runner.trusted { try $0.execute("ROLLBACK") }
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
            throw .broken(StatementFailure(error))
        }
    }
}
