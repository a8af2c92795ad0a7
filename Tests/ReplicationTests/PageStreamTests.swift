import Execution
import Foundation
import Logging
import Primitives
import SQLite
import Storage
import XCTest

@testable import Replication
@testable import WireProtocol

/// Answers made piece by piece from a store in a temporary folder, without images.
final class PageStreamTests: XCTestCase {
    private var testStore: TestStore!
    private var store: DatabaseStore { testStore.store }

    override func setUpWithError() throws {
        var options = StorageOptions()
        options.pageCacheSize = 0
        testStore = try TestStore(options: options)
    }

    override func tearDown() { testStore.tearDown() }

    // MARK: a database

    private func acquire() throws -> DatabaseLease { try testStore.acquire() }

    private func execute(_ sql: String, _ lease: DatabaseLease) throws {
        try testStore.execute(sql, lease)
    }

    private func fill(_ lease: DatabaseLease, rows: Int) throws {
        try execute(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
                + "WITH RECURSIVE n(i) AS "
                + "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(rows))"
                + "INSERT INTO t SELECT i, randomblob(3000) FROM n", lease)
    }

    // MARK: streams

    private let header = PullResponseHeader(serverRevision: "r", databaseSize: 7).framedBytes()

    private func stream(
        _ lease: DatabaseLease, _ list: PageList,
        onClose: @escaping @Sendable (Bool) -> Void = { _ in }
    ) throws -> PageStream {
        PageStream(
            lease: lease, snapshot: try lease.database.snapshot(), header: header,
            onClose: onClose
        ) { list }
    }

    private func pieces(_ stream: PageStream, maximumBytes: Int) throws -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        while let piece = try stream.nextPiece(maximumBytes: maximumBytes) {
            XCTAssertFalse(piece.isEmpty)
            pieces.append(piece.flatMap(\.content))
        }
        XCTAssertNil(try stream.nextPiece(maximumBytes: maximumBytes), "the end stays the end")
        return pieces
    }

    func testPiecesOfAnySizeAreTheSameBytes() throws {
        let lease = try acquire()
        try fill(lease, rows: 200)
        let size = lease.database.head.databaseSize
        XCTAssertGreaterThan(size, 129, "page ids of two bytes are wanted")
        let lists: [PageList] = [
            .all(databaseSize: size), .listed([]),
            .listed([1, 2, 64, 128, 129, 130].compactMap { PageNumber($0) }),
            .listed([PageNumber(size)!]),
        ]
        for list in lists {
            let whole = try stream(lease, list)
            let expected = try pieces(whole, maximumBytes: 1 << 30).flatMap { $0 }
            whole.close()
            for maximum in [0, 1, 20, 4096, 4107, 4108, 8192, 10_000, 65_536, 262_144] {
                let stream = try stream(lease, list)
                let pieces = try pieces(stream, maximumBytes: maximum)
                stream.close()
                XCTAssertEqual(pieces.flatMap { $0 }, expected, "\(maximum)")
                // More than was asked for only where one message is larger than that.
                let largest = pieces.map(\.count).max() ?? 0
                XCTAssertLessThanOrEqual(largest, max(maximum, 4107), "\(maximum)")
            }
            var decoder = PullResponseDecoder()
            let messages = try decoder.decode(expected)
            try decoder.finish()
            XCTAssertEqual(messages.count, 1 + list.count)
            try assertPages(messages, list, lease)
        }
    }

    private func assertPages(
        _ messages: [PullResponseDecoder.Message], _ list: PageList,
        _ lease: DatabaseLease
    ) throws {
        XCTAssertEqual(
            messages.first, .header(PullResponseHeader(serverRevision: "r", databaseSize: 7)))
        let snapshot = try lease.database.snapshot()
        defer { snapshot.release() }
        for (message, page) in zip(messages.dropFirst(), list.slice(0..<list.count)) {
            XCTAssertEqual(message, .page(page.id, try snapshot.page(page)))
        }
    }

    func testTheStateIsThatOfTheSnapshotHoweverLateItIsRead() throws {
        let lease = try acquire()
        try fill(lease, rows: 50)
        let size = lease.database.head.databaseSize
        let late = try stream(lease, .all(databaseSize: size))
        let early = try stream(lease, .all(databaseSize: size))
        let expected = try pieces(early, maximumBytes: 1 << 30).flatMap { $0 }
        early.close()
        try execute("UPDATE t SET v = zeroblob(3000); DELETE FROM t WHERE id > 10", lease)
        XCTAssertEqual(try pieces(late, maximumBytes: 9000).flatMap { $0 }, expected)
        late.close()
    }

    func testClosingTellsWhetherAllWasSent() throws {
        let lease = try acquire()
        let rows: [(pieces: Int, isComplete: Bool)] = [(0, false), (1, false), (100, true)]
        try fill(lease, rows: 50)
        let size = lease.database.head.databaseSize
        for row in rows {
            let answer = Answer<Bool>()
            let stream = try stream(lease, .all(databaseSize: size)) { answer.give($0) }
            for _ in 0..<row.pieces { _ = try stream.nextPiece(maximumBytes: 9000) }
            stream.close()
            XCTAssertEqual(answer.wait(), row.isComplete, "\(row.pieces)")
        }
    }

    func testAStreamHoldsAPinUntilItIsClosed() throws {
        let lease = try acquire()
        let before = try lease.database.statistics().snapshotCount
        let stream = try stream(lease, .all(databaseSize: 1))
        XCTAssertEqual(try lease.database.statistics().snapshotCount, before + 1)
        stream.close()
        XCTAssertEqual(try lease.database.statistics().snapshotCount, before)
    }

    func testReadingAfterTheDatabaseIsGoneFails() throws {
        let lease = try acquire()
        try fill(lease, rows: 50)
        let size = lease.database.head.databaseSize
        let stream = try stream(lease, .all(databaseSize: size))
        _ = try stream.nextPiece(maximumBytes: 9000)
        let answer = Answer<StorageError?>()
        store.delete(.default) { answer.give($0) }
        XCTAssertNil(answer.wait())
        XCTAssertThrowsError(try stream.nextPiece(maximumBytes: 9000))
        stream.close()
    }
}

extension PageStream.Part {
    var content: [UInt8] {
        switch self {
        case .bytes(let bytes): bytes
        case .region(let region):
            [UInt8](unsafeUninitializedCapacity: region.count) { buffer, count in
                count = pread(
                    region.descriptor.number, buffer.baseAddress, buffer.count,
                    off_t(region.offset))
            }
        }
    }
}

/// A value that another thread provides.
final class Answer<Value>: @unchecked Sendable {
    // @unchecked: the semaphore orders the write before the read.
    private var value: Value?
    private let isReady = DispatchSemaphore(value: 0)

    func give(_ value: sending Value) {
        self.value = value
        isReady.signal()
    }

    func wait() -> Value {
        isReady.wait()
        return value!
    }
}
