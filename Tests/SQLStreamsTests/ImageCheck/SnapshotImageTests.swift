import Execution
import Foundation
import Logging
import Primitives
import SQLite
import Storage
import XCTest

@testable import SQLStreams

/// Frames over the head of a stored database.
final class SnapshotImageTests: XCTestCase {
    private var folder: URL!
    private var workers: WorkerPool!
    private var store: DatabaseStore!
    private var lease: DatabaseLease!

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        workers = WorkerPool(threadCount: 2)
        store = try DatabaseStore(
            directory: folder.path, options: StorageOptions(), workers: workers, logger: .disabled)
        lease = try wait { done in store.acquire(.default) { done($0.mapError { $0 }) } }
    }

    override func tearDown() {
        lease = nil
        store?.close()
        workers?.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    private final class Box<Value>: @unchecked Sendable {
        // @unchecked: set before the semaphore is signalled, read after it was waited for.
        var value: Swift.Result<Value, any Error>?
        let isSet = DispatchSemaphore(value: 0)
    }

    private func wait<Value>(
        _ start: (@escaping @Sendable (Swift.Result<Value, any Error>) -> Void) -> Void
    ) throws -> Value {
        let box = Box<Value>()
        start { result in
            box.value = result
            box.isSet.signal()
        }
        box.isSet.wait()
        return try box.value!.get()
    }

    private func execute(_ sql: String) throws {
        try wait { done in
            lease.database.write(
                { session in
                    Swift.Result {
                        try session.prepareToWrite()
                        try session.connection.registerGenerateSeries()
                        try session.connection.execute(sql)
                    }
                },
                completion: { result in
                    done(result.mapError { $0 as any Error }.flatMap { $0 })
                })
        }
    }

    /// The frames that bring a database from one snapshot to another.
    private func frames(from old: Snapshot, to new: Snapshot) throws -> [WALFrame] {
        let pages = lease.database.pages(
            changedAfter: old.revision.commit, databaseSize: new.databaseSize)
        return try pages.map {
            WALFrame(
                page: $0.rawValue, databaseSize: $0 == pages.last ? new.databaseSize : 0,
                content: try new.page($0))
        }
    }

    func testTheHeadIsTheBase() throws {
        try execute(
            """
            CREATE TABLE t(id INTEGER PRIMARY KEY, k UNIQUE, v);
            INSERT INTO t SELECT value, hex(value), randomblob(400) FROM generate_series(1, 3000);
            """)
        let head = try lease.database.snapshot()
        defer { head.release() }
        try execute("UPDATE t SET v = 1 WHERE id % 100 = 0; CREATE TABLE u(a)")
        let next = try lease.database.snapshot()
        defer { next.release() }
        let frames = try frames(from: head, to: next)
        XCTAssertGreaterThan(frames.count, 20)
        let check = SoundImageTests.patient
        XCTAssertEqual(try check.verdict(on: frames, over: head), .sound)
        // In the other order they are no transaction.
        XCTAssertNotEqual(try check.verdict(on: frames.reversed(), over: head), .sound)
        // Nothing was written, and the base is needed: over another one they make no sense.
        XCTAssertEqual(try lease.database.snapshot().revision, next.revision)
        try execute("DROP TABLE t; VACUUM")
        let other = try lease.database.snapshot()
        defer { other.release() }
        XCTAssertLessThan(other.databaseSize, head.databaseSize)
        XCTAssertNotEqual(try check.verdict(on: frames, over: other), .sound)
    }

    func testAClosedDatabaseIsAnErrorAndNoVerdict() throws {
        try execute("CREATE TABLE t(a); INSERT INTO t VALUES (1)")
        let head = try lease.database.snapshot()
        let frames = [
            WALFrame(page: 1, databaseSize: head.databaseSize, content: try head.page(.init(1)!))
        ]
        XCTAssertEqual(try SoundImageTests.patient.verdict(on: frames, over: head), .sound)
        lease = nil
        store.close()
        XCTAssertThrowsError(try SoundImageTests.patient.verdict(on: frames, over: head)) {
            guard case .closed = $0 as? StorageError else { return XCTFail("\($0)") }
        }
        head.release()
    }
}
