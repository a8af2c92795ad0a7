import Logging
import Primitives
import SQLite
import Storage
import XCTest

@testable import Replication
@testable import WireProtocol

/// Small answers, which are made in one go.
final class SmallPullTests: XCTestCase {
    /// The last chunk of a database may be a few pages only, so a small answer can hold all of them.
    func testAWholeLastChunkIsInASmallAnswer() throws {
        let store = try TestStore()
        defer { store.tearDown() }
        let lease = try store.acquire()
        try store.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", lease)
        while lease.database.head.databaseSize < 256 {
            try store.execute("INSERT INTO t(v) VALUES (randomblob(3000))", lease)
        }
        let old = lease.database.head.revision
        while lease.database.head.databaseSize < 257 {
            try store.execute("INSERT INTO t(v) VALUES (randomblob(3000))", lease)
        }
        let head = lease.database.head
        let changed = lease.database.pages(
            changedAfter: old.commit, databaseSize: head.databaseSize)
        XCTAssertLessThan(changed.count, 16)
        XCTAssertEqual(changed.last, PageNumber(257))
        XCTAssertEqual(changed.first, PageNumber(1))
        let answering = PullAnswering(longPollLimit: .zero)
        var request = PullRequest()
        request.clientRevision = old.wire
        for round in 1...2 {
            let answer = try answering.answer(request, lease: lease, mayWait: false, mayRead: true)
            guard case .whole(let body, nil) = answer else { return XCTFail("not in one go") }
            var decoder = PullResponseDecoder()
            let pageCount = try decoder.decode(body).count - 1
            XCTAssertEqual(pageCount, changed.count, "round \(round)")
        }
    }
}
