import Foundation
import Primitives
import SQLite
import Storage
import WireProtocol
import XCTest

@testable import SQLStreams

/// A database in a folder of its own, with one writing and one reading connection, and ways to run
/// pipelines against them.
final class SQLFixture {
    private let folder: URL
    let writer: Connection
    let reader: Connection
    var options = PipelineRunner.Options()
    let recorder = RecordingRecorder()
    private(set) var writeCount = 0
    /// Modes of the checkpoints that were asked for.
    private(set) var checkpoints: [CheckpointMode] = []
    /// What becomes of them.
    var checkpointOutcome = Swift.Result<CheckpointResult, StorageError>.success(
        CheckpointResult(isBusy: false, walFrameCount: 7, checkpointedFrameCount: 5))
    private(set) var isDirty = false

    init(_ schema: String = "") throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appendingPathComponent("main.db").path
        writer = try Connection(path: path, mode: .create)
        try writer.execute("PRAGMA journal_mode=WAL")
        try writer.execute(schema)
        reader = try Connection(path: path, mode: .readWrite)
        try reader.execute("PRAGMA query_only=ON; SELECT * FROM sqlite_schema")
    }

    deinit {
        writer.close()
        reader.close()
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: Running

    /// - Parameter stream: what earlier requests left; the caller ends what this one leaves open.
    func outcome(
        _ requests: [StreamRequest], onReader: Bool = false, in stream: StreamState? = nil
    ) -> PipelineRunner.Outcome {
        let role: PipelineRunner.Role =
            onReader
            ? .reader
            : .writer(
                prepareToWrite: { self.writeCount += 1 },
                checkpoint: { mode in
                    self.checkpoints.append(mode)
                    return try self.checkpointOutcome.get()
                })
        let runner = PipelineRunner(
            connection: onReader ? reader : writer, role: role, options: options,
            rejectedChanges: recorder)
        let outcome = runner.run(
            PipelineRequest(requests: requests), in: stream ?? StreamState(limits: options.limits))
        isDirty = outcome.isConnectionDirty
        XCTAssertEqual(writer.isAutocommit, outcome.kept?.isOpen != true)
        XCTAssertTrue(reader.isAutocommit, "a reader was left in a transaction")
        return outcome
    }

    /// The entries of `results`.
    func run(_ requests: [StreamRequest]) throws -> [Result] {
        let outcome = outcome(requests)
        XCTAssertNotEqual(outcome.kept?.isOpen, true, "a transaction was left open")
        let body = try outcome.body.get()
        let root = try XCTUnwrap(
            try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        XCTAssertTrue(root["baton"] is NSNull)
        let results = try XCTUnwrap(root["results"] as? [[String: Any]])
        XCTAssertEqual(results.count, requests.count)
        return results.map { Result(json: $0) }
    }

    /// Runs requests on a stream that goes on, and returns the entries of `results`.
    func run(
        _ requests: [StreamRequest], on stream: inout StreamState?
    ) throws -> [Result] {
        let outcome = outcome(requests, in: stream)
        stream = outcome.kept
        return try outcome.results
    }

    func execute(
        _ sql: String, _ arguments: [SQLValue] = [],
        named: [(String, SQLValue)] = [], wantsRows: Bool = true
    ) throws -> Result {
        try run([.execute(.sql(sql, arguments, named: named, wantsRows: wantsRows))])[0]
    }

    func batch(_ steps: [Batch.Step]) throws -> Result { try run([.batch(Batch(steps: steps))])[0] }

    // MARK: Looking

    func text(_ sql: String) throws -> String? { try writer.queryText(sql) }
}

extension PipelineRunner.Outcome {
    var body: Swift.Result<[UInt8], PipelineRunnerError> { answer.map { $0.finish() } }

    /// The entries of `results`.
    var results: [Result] {
        get throws {
            let root = try JSONSerialization.jsonObject(with: Data(body.get())) as? [String: Any]
            return try XCTUnwrap(root?["results"] as? [[String: Any]]).map { Result(json: $0) }
        }
    }
}

/// One entry of an answer's `results`.
struct Result {
    let json: [String: Any]

    var error: [String: Any]? { json["error"] as? [String: Any] }
    var code: String? { error?["code"] as? String }
    var message: String? { error?["message"] as? String }
    var response: [String: Any]? { json["response"] as? [String: Any] }
    var result: [String: Any]? { response?["result"] as? [String: Any] }

    /// Rows of a statement's result, each value as text and `NULL`, joined by `|`.
    var rows: [String]? { Self.rows(of: result) }

    static func rows(of result: [String: Any]?) -> [String]? {
        (result?["rows"] as? [[[String: Any]]])?.map { row in
            row.map { value in
                (value["value"] ?? value["base64"]).map { "\($0)" } ?? "NULL"
            }.joined(separator: "|")
        }
    }

    var stepResults: [[String: Any]?] {
        (result?["step_results"] as? [Any] ?? []).map { $0 as? [String: Any] }
    }
    var stepCodes: [String?] {
        (result?["step_errors"] as? [Any] ?? []).map { ($0 as? [String: Any])?["code"] as? String }
    }
    /// `+` for a step that succeeded, `-` for one that failed, `.` for one that was skipped.
    var pattern: String {
        String(
            zip(stepResults, stepCodes).map { result, code in
                result != nil ? "+" : code != nil ? "-" : "."
            })
    }
}

extension WireProtocol.Statement {
    static func sql(
        _ sql: String, _ arguments: [SQLValue] = [], named: [(String, SQLValue)] = [],
        wantsRows: Bool = true
    ) -> WireProtocol.Statement {
        WireProtocol.Statement(
            text: SQLText(sql: sql), arguments: arguments,
            namedArguments: named.map { .init(name: $0.0, value: $0.1) }, wantsRows: wantsRows)
    }
}

extension Batch.Step {
    static func step(
        _ sql: String, _ arguments: [SQLValue] = [], if condition: BatchCondition? = nil
    ) -> Batch.Step {
        Batch.Step(condition: condition, statement: .sql(sql, arguments))
    }
}

extension PipelineRunner.Role {
    /// A writer of whom nobody wants a checkpoint.
    static func writer(prepareToWrite: @escaping () throws -> Void) -> Self {
        .writer(
            prepareToWrite: prepareToWrite,
            checkpoint: { _ in preconditionFailure("a checkpoint that nobody asked for") })
    }
}

/// Keeps what it is told, in the order of the calls.
final class RecordingRecorder: RejectedChangeRecorder {
    struct Failure: Error {}
    var changes: [RejectedChange] = []
    var resolutions: [Bool] = []
    var fails = false
    var onRecord: () -> Void = {}

    func record(_ changes: [RejectedChange]) throws {
        if fails { throw Failure() }
        self.changes += changes
        onRecord()
    }

    func resolved(committed: Bool) { resolutions.append(committed) }
}
