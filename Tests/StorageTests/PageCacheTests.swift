import Foundation
import Primitives
import Synchronization
import XCTest

@testable import Storage

/// What is kept of encoded pages, for how long, and on how much disk.
final class PageCacheTests: XCTestCase, @unchecked Sendable {
    // @unchecked: nothing in it changes.
    private let clock = ManualClock()

    override func tearDown() { FileOperationHook.handler = nil }

    /// A store whose database has `chunkCount` chunks of pages.
    private func makeFixture(
        cacheSize: Int64 = 1 << 30, chunkCount: Int = 2
    ) throws -> StorageFixture {
        var options = StorageOptions()
        options.pageCacheSize = cacheSize
        options.monotonicClock = clock.clock
        let fixture = try StorageFixture(options: options)
        try fill(fixture, .default, chunkCount: chunkCount)
        return fixture
    }

    private func fill(
        _ fixture: StorageFixture, _ name: DatabaseName, chunkCount: Int
    ) throws {
        try fixture.execute(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
                WHERE i < \(chunkCount * 256 - 10))
            INSERT INTO t SELECT i, zeroblob(3600) FROM n
            """, on: name)
    }

    private enum Kind { case found, stored, made, live }

    /// Asks for a chunk; `size` bytes are made of it if it is not there.
    private func ask(
        _ database: Database, _ index: Int = 0, _ encoding: ImageEncoding = .framed,
        size: Int = 1 << 20
    ) throws -> (kind: Kind, region: FileRegion?) {
        let snapshot = try database.snapshot()
        defer { snapshot.release() }
        let byte = UInt8(truncatingIfNeeded: index + 1)
        let chunk = try snapshot.chunk(index, encoding: encoding) { _ in
            EncodedChunk(
                bytes: [UInt8](repeating: byte, count: size), source: .init(size: size))
        }
        switch chunk {
        case .found(let region, _): return (.found, region)
        case .stored(let region, _): return (.stored, region)
        case .made(let chunk):
            XCTAssertEqual(chunk.bytes.count, size)
            return (.made, nil)
        case nil: return (.live, nil)
        }
    }

    private static func content(_ region: FileRegion) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: region.count) { buffer, count in
            count = pread(
                region.descriptor.number, buffer.baseAddress, buffer.count, off_t(region.offset))
        }
    }

    func testAChunkIsMadeOnceAndFoundUntilItChanges() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        XCTAssertEqual(try ask(database).kind, .stored)
        XCTAssertEqual(try ask(database).kind, .found)
        XCTAssertEqual(try ask(database, 1).kind, .stored)
        XCTAssertEqual(try ask(database, 0, .plain).kind, .stored, "encodings are kept apart")
        try fixture.execute("UPDATE t SET v = 1 WHERE id = 400")
        XCTAssertEqual(try ask(database, 0).kind, .found, "another chunk changed")
        XCTAssertEqual(try ask(database, 1).kind, .stored)
        let found = try ask(database, 1)
        XCTAssertEqual(found.kind, .found)
        XCTAssertEqual(
            Self.content(try XCTUnwrap(found.region)), [UInt8](repeating: 2, count: 1 << 20))
    }

    func testAnOldStateIsReadWhereItDiffers() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        let old = try database.snapshot()
        defer { old.release() }
        _ = try ask(database, 0)
        _ = try ask(database, 1)
        try fixture.execute("UPDATE t SET v = 1 WHERE id = 400")
        _ = try ask(database, 1)
        let never: (ClosedRange<UInt32>) throws(StorageError) -> EncodedChunk = {
            _ throws(StorageError) in throw .revisionGone
        }
        XCTAssertNotNil(try old.chunk(0, encoding: .framed, make: never))
        XCTAssertNil(try old.chunk(1, encoding: .framed, make: never))
    }

    func testSmallDatabasesAndAnEmptyBudgetTakeNoFile() throws {
        let fixture = try makeFixture(cacheSize: 0)
        defer { fixture.tearDown() }
        XCTAssertEqual(try ask(try fixture.acquire().database).kind, .live)
        let small = try StorageFixture()
        defer { small.tearDown() }
        XCTAssertEqual(try ask(try small.acquire().database).kind, .live)
        XCTAssertEqual(small.store.pageCache.figures.size, 0)
    }

    func testWhatDoesNotFitIsMadeAndNotKept() throws {
        let fixture = try makeFixture(cacheSize: 3 << 19)
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        XCTAssertEqual(try ask(database, 0).kind, .stored)
        clock.advance(by: .seconds(100))
        XCTAssertEqual(try ask(database, 1).kind, .made, "an image does not make room for itself")
        XCTAssertEqual(try ask(database, 0).kind, .found)
        XCTAssertEqual(fixture.store.pageCache.figures.size, 1 << 20)
    }

    func testTheImageUnusedTheLongestMakesRoomOnceItRests() throws {
        let fixture = try makeFixture(cacheSize: 5 << 19)
        defer { fixture.tearDown() }
        let others = try ["a", "b"].map { name -> DatabaseLease in
            let name = try XCTUnwrap(DatabaseName(name))
            try fixture.store.create(name)
            try fill(fixture, name, chunkCount: 1)
            return try fixture.acquire(name)
        }
        let first = try fixture.acquire()
        XCTAssertEqual(try ask(first.database).kind, .stored)
        clock.advance(by: .seconds(1))
        XCTAssertEqual(try ask(others[0].database).kind, .stored)
        XCTAssertEqual(try ask(others[1].database).kind, .made, "the others are in use")
        clock.advance(by: .seconds(9))
        XCTAssertEqual(try ask(others[1].database).kind, .stored)
        XCTAssertEqual(try ask(others[0].database).kind, .found)
        XCTAssertEqual(try first.database.statistics().cacheBytes, 0)
        XCTAssertEqual(fixture.store.pageCache.figures.size, 2 << 20)
    }

    func testWhatIsBeingSentStaysAndCounts() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let cache = fixture.store.pageCache
        var region = try ask(try fixture.acquire().database).region
        let box = Box<StorageError?>()
        fixture.store.delete(.default) { box.set($0) }
        XCTAssertNil(box.wait())
        XCTAssertEqual(cache.figures.size, 1 << 20)
        XCTAssertEqual(Self.content(try XCTUnwrap(region)), [UInt8](repeating: 1, count: 1 << 20))
        region = nil
        XCTAssertEqual(cache.figures.size, 0)
    }

    func testNothingIsKeptOfADatabaseThatIsClosed() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let cache = fixture.store.pageCache
        _ = try ask(try fixture.acquire().database)
        XCTAssertEqual(cache.figures.size, 1 << 20)
        fixture.close()
        XCTAssertEqual(cache.figures.size, 0)
    }

    func testAFullDiskIsNoError() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        XCTAssertEqual(try ask(database, 0).kind, .stored)
        FileOperationHook.handler = { event in
            guard event.name == "write page cache" else { return .goesOn }
            return .isCutShort(byteCount: 100, ENOSPC)
        }
        XCTAssertEqual(try ask(database, 1).kind, .made)
        FileOperationHook.handler = nil
        XCTAssertEqual(try ask(database, 0).kind, .found)
        XCTAssertEqual(try ask(database, 1).kind, .made, "the disk is left alone for a while")
        XCTAssertEqual(fixture.store.pageCache.figures.size, 1 << 20)
        clock.advance(by: .seconds(60))
        let region = try XCTUnwrap(try ask(database, 1).region)
        XCTAssertEqual(Self.content(region), [UInt8](repeating: 2, count: 1 << 20))
    }

    func testStaleChunksAreGivenUpWithTheirFile() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        let size = 16 << 20
        for value in 0..<12 {
            try fixture.execute("UPDATE t SET v = \(value) WHERE id = 400")
            XCTAssertEqual(try ask(database, 1, size: size).kind, .stored)
            // 64 MiB of slack, twice what is live, and what was just added.
            XCTAssertLessThanOrEqual(
                fixture.store.pageCache.figures.size, Int64(64 << 20 + 3 * size))
        }
        XCTAssertLessThan(fixture.store.pageCache.figures.size, Int64(8 * size))
    }

    func testManyThreadsMakeAChunkOnce() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let database = try fixture.acquire().database
        let snapshot = try database.snapshot()
        defer { snapshot.release() }
        let madeCount = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 16) { number in
            for index in [number % 2, 1 - number % 2] {
                let chunk = try? snapshot.chunk(index, encoding: .framed) { _ in
                    madeCount.wrappingAdd(1, ordering: .relaxed)
                    return EncodedChunk(
                        bytes: [UInt8](repeating: UInt8(index), count: 5000),
                        source: .init(size: 1))
                }
                guard case .found(let region, _) = chunk else { continue }
                XCTAssertEqual(Self.content(region), [UInt8](repeating: UInt8(index), count: 5000))
            }
        }
        XCTAssertEqual(madeCount.load(ordering: .relaxed), 2)
    }

    /// Figures wait for who writes to an image; nobody else waits for them.
    func testASlowDiskUnderAnImageHoldsNobodyUp() throws {
        let fixture = try makeFixture()
        defer { fixture.tearDown() }
        let lease = try fixture.acquire()
        let database = lease.database
        _ = try ask(database, 0)
        let (begun, goesOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        FileOperationHook.handler = { event in
            guard event.name == "write page cache" else { return .goesOn }
            begun.signal()
            goesOn.wait()
            return .goesOn
        }
        let group = DispatchGroup()
        DispatchQueue.global().async(group: group) { _ = try? self.ask(database, 1) }
        begun.wait()
        DispatchQueue.global().async(group: group) { _ = try? database.statistics() }
        let committed = DispatchSemaphore(value: 0)
        DispatchQueue.global().async(group: group) {
            for id in 1...50 { try? fixture.execute("UPDATE t SET v = 1 WHERE id = \(id)") }
            committed.signal()
        }
        XCTAssertEqual(committed.wait(timeout: .now() + 20), .success)
        goesOn.signal()
        group.wait()
        XCTAssertEqual(try database.statistics().cacheBytes, 2 << 20)
    }
}
