import Primitives
import XCTest

@testable import Storage

final class RejectedChangeLogTests: XCTestCase {
    private func entry(_ key: String, _ text: String = "{}") -> RejectedChangeLog.Entry {
        .init(key: key, payload: Array(text.utf8))
    }

    private func keys(_ log: RejectedChangeLog, upTo commit: UInt64 = .max) -> [String] {
        log.entries { $0 == Epoch(5) && $1.rawValue <= commit }.map(\.key)
    }

    func testEntriesSurviveReopeningAndAreReplacedByKey() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("rejected")
        let log = try RejectedChangeLog(path: path)
        try log.append([entry("a"), entry("b")], epoch: Epoch(5), commit: CommitNumber(2))
        try log.append([entry("a", "{\"again\":1}")], epoch: Epoch(5), commit: CommitNumber(3))
        try log.append([entry("void")], epoch: Epoch(5), commit: CommitNumber(4))
        try log.remove(["void", "unknown"])
        try log.append([], epoch: Epoch(5), commit: CommitNumber(9))
        for log in [log, try RejectedChangeLog(path: path)] {
            XCTAssertEqual(keys(log), ["b", "a"])
            XCTAssertEqual(
                log.entries { _, _ in true }.last?.payload, Array("{\"again\":1}".utf8))
            XCTAssertEqual(keys(log, upTo: 2), ["b"], "commit 3 did not take place")
        }
    }

    func testATornTailIsDroppedWhereverItEnds() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("rejected")
        let log = try RejectedChangeLog(path: path)
        try log.append([entry("a")], epoch: Epoch(5), commit: CommitNumber(2))
        let first = try folder.read("rejected").count
        try log.append([entry("b"), entry("c")], epoch: Epoch(5), commit: CommitNumber(3))
        let bytes = try folder.read("rejected")
        for length in 0...bytes.count {
            try folder.write(bytes[..<length], to: "torn")
            let expected = length < first ? [] : length < bytes.count ? ["a"] : ["a", "b", "c"]
            XCTAssertEqual(keys(try RejectedChangeLog(path: folder.file("torn"))), expected)
        }
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x10
            try folder.write(damaged, to: "damaged")
            XCTAssertEqual(
                keys(try RejectedChangeLog(path: folder.file("damaged"))),
                index < first ? [] : ["a"])
        }
    }

    /// A torn record is longer than the one written over it, and a client chose its content: what
    /// is left of it must not be read as a record.
    func testWhatATornTailHeldDoesNotComeBack() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let forged = try TemporaryFolder()
        defer { forged.remove() }
        try RejectedChangeLog(path: forged.file("rejected"))
            .append([entry("forged")], epoch: Epoch(5), commit: CommitNumber(1))
        let record = try forged.read("rejected")
        let shortSize = 12 + 24 + 1 + 2
        var torn = try forged.read("rejected")
        torn[0] ^= 1
        torn += [UInt8](repeating: 0, count: max(0, shortSize - torn.count))
        torn = Array(torn[..<shortSize]) + record
        try folder.write(torn, to: "rejected")
        let log = try RejectedChangeLog(path: folder.file("rejected"))
        try log.append([entry("x")], epoch: Epoch(5), commit: CommitNumber(2))
        XCTAssertEqual(keys(try RejectedChangeLog(path: folder.file("rejected"))), ["x"])
    }

    /// Its transaction rolls back and another one becomes the commit that the entries name.
    func testEntriesWhoseFlushFailedDoNotComeBack() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.file("rejected")
        let log = try RejectedChangeLog(path: path)
        try log.append([entry("a")], epoch: Epoch(5), commit: CommitNumber(2))
        defer { FileOperationHook.handler = nil }
        FileOperationHook.handler = { event in
            if case .synchronize = event.operation { .fails(EIO) } else { .goesOn }
        }
        XCTAssertThrowsError(
            try log.append([entry("b")], epoch: Epoch(5), commit: CommitNumber(3)))
        FileOperationHook.handler = nil
        XCTAssertEqual(keys(log), ["a"])
        XCTAssertEqual(keys(try RejectedChangeLog(path: path)), ["a"])
    }
}
