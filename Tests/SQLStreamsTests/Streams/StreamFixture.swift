import Dispatch
import Execution
import Foundation
import Logging
import Primitives
import Storage
import WireProtocol
import XCTest

@testable import SQLStreams

/// A data directory, and pipelines that run against it as the server runs them.
final class StreamFixture: @unchecked Sendable {
    // @unchecked: tests open and close it while no other thread uses it.

    /// What became of a request.
    struct Answer {
        let baton: String?
        let results: [Result]
        let failure: PipelineExecution.Failure?

        var code: String? {
            switch failure {
            case .stream(let failure): failure.code
            case .storage(.closed): "closed"
            case .storage(.queueFull): "full"
            case .storage(.unknownDatabase): "deleted"
            case nil: nil
            default: "other"
            }
        }
    }

    /// A request that has been sent.
    final class Pending: @unchecked Sendable {
        // @unchecked: set before the semaphore is signalled, read after it was waited for.
        fileprivate var value: Swift.Result<[UInt8], PipelineExecution.Failure>?
        fileprivate let isSet = DispatchSemaphore(value: 0)

        /// Whether the answer comes within that time; asking takes it away from `answer`.
        func comes(within time: DispatchTimeInterval) -> Bool {
            guard isSet.wait(timeout: .now() + time) == .success else { return false }
            isSet.signal()
            return true
        }

        func answer() throws -> Answer {
            guard isSet.wait(timeout: .now() + 60) == .success, let value else {
                throw XCTestError(.timeoutWhileWaiting)
            }
            switch value {
            case .failure(let failure): return Answer(baton: nil, results: [], failure: failure)
            case .success(let body):
                let root = try XCTUnwrap(
                    try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
                let results = try XCTUnwrap(root["results"] as? [[String: Any]])
                return Answer(
                    baton: root["baton"] as? String, results: results.map { Result(json: $0) },
                    failure: nil)
            }
        }
    }

    let workers = WorkerPool(threadCount: 2)
    let streams: StreamRegistry
    private(set) var store: DatabaseStore!
    private let folder: URL
    private let execution: PipelineExecution

    init(_ change: (inout StreamLimits, inout StorageOptions) -> Void = { _, _ in }) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        var limits = StreamLimits()
        limits.idleTime = .seconds(3600)
        limits.transactionTime = .seconds(3600)
        var options = StorageOptions()
        change(&limits, &options)
        streams = StreamRegistry(limits: limits, logger: .disabled)
        execution = PipelineExecution(options: PipelineRunner.Options(), streams: streams)
        store = try DatabaseStore(
            directory: folder.path, options: options, workers: workers, logger: .disabled)
    }

    func tearDown() {
        store?.close()
        workers.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Ends the databases as the end of the process would, but for its streams.
    func closeStore() {
        store.close()
        store = nil
    }

    func lease(_ name: DatabaseName = .default) throws -> DatabaseLease {
        nonisolated(unsafe) var result: Swift.Result<DatabaseLease, StorageError>?
        let done = DispatchSemaphore(value: 0)
        store.acquire(name) {
            result = $0
            done.signal()
        }
        done.wait()
        return try result!.get()
    }

    /// Sends statements, each an `execute`; `close` and `autocommit` are requests of their own.
    func send(
        _ baton: String? = nil, _ sql: [String], on name: DatabaseName = .default
    ) throws -> Pending {
        let requests = sql.map { text -> StreamRequest in
            switch text {
            case "close": .close
            case "autocommit": .getAutocommit
            default: .execute(.sql(text))
            }
        }
        let pending = Pending()
        execution.run(
            PipelineRequest(baton: baton, requests: requests), lease: try lease(name)
        ) { result in
            pending.value = result
            pending.isSet.signal()
        }
        return pending
    }

    func run(
        _ baton: String? = nil, _ sql: String..., on name: DatabaseName = .default
    ) throws -> Answer {
        try send(baton, sql, on: name).answer()
    }

    /// Rows of `t`, joined by commas.
    func rows(on name: DatabaseName = .default) throws -> String {
        try run(nil, "SELECT coalesce(group_concat(a), '') FROM t", on: name).results[0].rows?[0]
            ?? "?"
    }
}
