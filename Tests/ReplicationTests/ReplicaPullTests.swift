import Execution
import Foundation
import Logging
import Primitives
import SQLite
import Storage
import XCTest

@testable import Replication
@testable import WireProtocol

/// What the disk says of a partial replica while it is sent an answer.
final class ReplicaPullTests: XCTestCase {
    private var folder = ""
    private var workers: WorkerPool!
    private var store: DatabaseStore!
    private let answering = PullAnswering(longPollLimit: .zero)

    override func setUpWithError() throws {
        folder =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("tidemark-\(UUID().uuidString)").path
        workers = WorkerPool(threadCount: 2)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        store = try open("data")
    }

    override func tearDownWithError() throws {
        store.close()
        workers.stop()
        try FileManager.default.removeItem(atPath: folder)
    }

    private func open(_ name: String) throws -> DatabaseStore {
        try DatabaseStore(
            directory: folder + "/" + name, options: StorageOptions(), workers: workers,
            logger: .disabled)
    }

    private func acquire(_ store: DatabaseStore) throws -> DatabaseLease {
        let answer = Answer<Result<DatabaseLease, StorageError>>()
        store.acquire(.default) { answer.give($0) }
        return try answer.wait().get()
    }

    private func execute(_ sql: String, _ lease: DatabaseLease) throws {
        let answer = Answer<Result<Result<Void, any Error>, StorageError>>()
        lease.database.write(
            { session in
                Result {
                    try session.prepareToWrite()
                    try session.connection.execute(sql)
                }
            }, completion: { answer.give($0) })
        try answer.wait().get().get()
    }

    private func stream(
        _ client: String, _ lease: DatabaseLease, traced: [PageNumber]? = nil
    ) throws -> PageStream {
        var request = PullRequest()
        request.clientRevision = client
        let answer = try answering.answer(request, lease: lease, traced: traced, mayWait: false)
        guard case .pages(let stream) = answer else { throw Missing() }
        return stream
    }

    private struct Missing: Error {}

    /// The revision that a client gets with some pages of the newest state.
    private func begin(_ lease: DatabaseLease) throws -> String {
        let stream = try stream("", lease, traced: [PageNumber(1)!])
        var decoder = PullResponseDecoder()
        var messages: [PullResponseDecoder.Message] = []
        while let piece = try stream.nextPiece(maximumBytes: 1 << 20) {
            messages += try decoder.decode(piece.flatMap(\.content))
        }
        stream.close()
        guard case .header(let header)? = messages.first else { throw Missing() }
        return header.serverRevision
    }

    /// Where a process that is killed now leaves the only replica.
    private func positionAfterAKill() throws -> CommitNumber {
        let copy = folder + "/copy"
        try FileManager.default.copyItem(atPath: folder + "/data", toPath: copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        // By its time the main file is known to be ours.
        let main = "/databases/default/main.db"
        var status = stat()
        XCTAssertEqual(stat(folder + "/data" + main, &status), 0)
        var times = [status.st_mtim, status.st_mtim]
        XCTAssertEqual(utimensat(AT_FDCWD, copy + main, &times, 0), 0)
        let store = try open("copy")
        defer { store.close() }
        let replicas = try acquire(store).database.partialReplicas
        XCTAssertEqual(replicas.count, 1)
        return try XCTUnwrap(replicas.first).sent.commit
    }

    /// Before its last piece goes out, and not with the first: a client without the last piece
    /// still has what it had, and the server must not give it newer pages for longer than it must.
    func testWhatAnAnswerBringsAReplicaToIsWrittenDownWithItsLastPiece() throws {
        let lease = try acquire(store)
        try execute(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, v);
            INSERT INTO t (v) VALUES (randomblob(40000))
            """, lease)
        let base = lease.database.head.revision.commit
        let client = try begin(lease)
        try execute("UPDATE t SET v = randomblob(30000)", lease)
        let head = lease.database.head.revision.commit
        let stream = try stream(client, lease)
        var positions: [CommitNumber] = []
        while try stream.nextPiece(maximumBytes: 9000) != nil {
            positions.append(try positionAfterAKill())
        }
        stream.close()
        XCTAssertGreaterThan(positions.count, 2)
        XCTAssertEqual(
            positions, [CommitNumber](repeating: base, count: positions.count - 1) + [head])
    }

    /// The client says that it has what it had: it is written down before it gets a page.
    func testAnAnswerThatWasLostMovesItBackAtOnce() throws {
        let lease = try acquire(store)
        try execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)", lease)
        let base = lease.database.head.revision.commit
        let client = try begin(lease)
        try execute("INSERT INTO t (v) VALUES (randomblob(30000))", lease)
        let lost = try stream(client, lease)
        while try lost.nextPiece(maximumBytes: 9000) != nil {}
        lost.close()
        XCTAssertEqual(try positionAfterAKill(), lease.database.head.revision.commit)
        let again = try stream(client, lease)
        XCTAssertEqual(try positionAfterAKill(), base)
        again.close()
    }
}
