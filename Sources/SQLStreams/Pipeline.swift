internal import SQLite
internal import WireProtocol

/// The state of one pipeline while its requests are answered in turn.
struct Pipeline {
    private let runner: StatementRunner
    private let options: PipelineRunner.Options
    private let recorder: (any RejectedChangeRecorder)?
    private(set) var stored: StoredSQL
    private(set) var writer = PipelineResponseWriter()
    private(set) var isClosed = false

    init(
        runner: StatementRunner, options: PipelineRunner.Options,
        recorder: (any RejectedChangeRecorder)?, stored: StoredSQL
    ) {
        self.runner = runner
        self.options = options
        self.recorder = recorder
        self.stored = stored
    }

    /// Answers one request; throws only what ends the whole pipeline.
    mutating func answer(_ request: StreamRequest) throws(StepFailure) {
        if isClosed { return writer.appendFailure(.streamClosed) }
        switch request {
        case .execute(let statement): try execute(statement)
        case .batch(let batch): try batches.run(batch, into: &writer)
        case .sequence(let text):
            try acknowledge(.sequence) { (pipeline) throws(StepFailure) in
                try pipeline.sequence(text)
            }
        case .describe(let text): try describe(text)
        case .storeSQL(let id, let sql):
            try acknowledge(.storeSQL) { (pipeline) throws(StepFailure) in
                try pipeline.store(sql, id: id)
            }
        case .closeSQL(let id):
            stored.close(id: id)
            writer.appendDone(.closeSQL)
        case .getAutocommit: writer.appendAutocommit(runner.connection.isAutocommit)
        case .close:
            runner.rollBack()
            isClosed = true
            writer.appendDone(.close)
        case .unknown(let type):
            writer.appendFailure(
                SQLFailure(
                    message: "requests of type \(type) are not known",
                    code: "REQUEST_UNKNOWN"))
        }
    }

    private mutating func execute(_ statement: WireProtocol.Statement) throws(StepFailure) {
        let batch = BatchRunner(runner: runner, stored: stored)
        writer.beginExecute()
        do {
            try batch.run(statement, try batch.compile(statement), into: &writer)
            writer.endExecute()
        } catch {
            try failRequest(error)
        }
    }

    /// Answers a batch as a cursor does.
    func cursor(over batch: Batch) throws(StepFailure) -> CursorResponseWriter {
        var writer = CursorResponseWriter()
        try batches.run(batch, into: &writer)
        return writer
    }

    private var batches: BatchAnswering {
        BatchAnswering(runner: runner, stored: stored, options: options, recorder: recorder)
    }

    /// Runs every statement up to the first that fails.
    private mutating func sequence(_ text: SQLText) throws(StepFailure) {
        let script = SQLScript(try sql(text))
        var output = DiscardedOutput()
        var offset = 0
        while true {
            let (compiled, end) = try runner.compileNext(of: script, from: offset)
            guard let compiled else { return }
            try runner.run(compiled, into: &output)
            offset = end
        }
    }

    private mutating func describe(_ text: SQLText) throws(StepFailure) {
        do {
            let statement = try runner.compileToDescribe(try sql(text)).statement
            let count = statement.parameterCount
            writer.appendDescription(
                StatementDescription(
                    parameterNames: (0..<count).map { statement.parameterName($0 + 1) },
                    columns: statement.resultColumns, isExplain: statement.isExplain,
                    isReadOnly: statement.isReadOnly))
        } catch {
            guard let failure = error.failure else { throw error }
            writer.appendFailure(failure)
        }
    }

    private mutating func store(_ sql: String, id: Int32) throws(StepFailure) {
        do { try stored.store(sql, id: id) } catch { throw .rejected(error) }
    }

    private func sql(_ text: SQLText) throws(StepFailure) -> String {
        do { return try stored.text(of: text) } catch { throw .rejected(error) }
    }

    private mutating func acknowledge(
        _ kind: PipelineResponseWriter.Acknowledgement,
        _ body: (inout Self) throws(StepFailure) -> Void
    ) throws(StepFailure) {
        do {
            try body(&self)
            writer.appendDone(kind)
        } catch {
            guard let failure = error.failure else { throw error }
            writer.appendFailure(failure)
        }
    }

    private mutating func failRequest(_ error: StepFailure) throws(StepFailure) {
        guard let failure = error.failure else { throw error }
        writer.failRequest(failure)
    }
}

/// Runs a batch, which may be a push, and answers it.
private struct BatchAnswering {
    let runner: StatementRunner
    let stored: StoredSQL
    let options: PipelineRunner.Options
    let recorder: (any RejectedChangeRecorder)?

    func run(_ batch: Batch, into output: inout some BatchOutput) throws(StepFailure) {
        output.beginBatch()
        do {
            if let push = PushBatch(batch) {
                let pushRunner = PushBatchRunner(
                    batch, push, runner: runner, stored: stored, recorder: recorder,
                    isStrict: options.isStrict)
                try pushRunner.run(into: &output)
            } else {
                try BatchRunner(runner: runner, stored: stored).run(batch, into: &output)
            }
            output.endBatch()
        } catch {
            guard let failure = error.failure else { throw error }
            output.failRequest(failure)
        }
    }
}
