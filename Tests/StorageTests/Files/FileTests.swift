import Primitives
import XCTest

@testable import Storage

final class FileTests: XCTestCase {
    func testReadsBeyondTheEndAreZeros() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try File(path: folder.file("f"), mode: .create)
        try file.write([1, 2, 3, 4, 5], at: 0, for: .upload)
        let rows: [(offset: Int64, expected: [UInt8])] = [
            (0, [1, 2, 3, 4]), (3, [4, 5, 0, 0]), (5, [0, 0, 0, 0]), (100, [0, 0, 0, 0]),
        ]
        for row in rows {
            var buffer = [UInt8](repeating: 0xEE, count: 4)
            try file.readBytes(into: &buffer, at: row.offset)
            XCTAssertEqual(buffer, row.expected, "offset \(row.offset)")
        }
        var empty: [UInt8] = []
        try file.readBytes(into: &empty, at: 0)
        XCTAssertEqual(try file.readAll(), [1, 2, 3, 4, 5])
        try file.write([9], at: 7, for: .upload)
        XCTAssertEqual(try file.readAll(), [1, 2, 3, 4, 5, 0, 0, 9])
        try file.truncate(to: 2, for: .upload)
        XCTAssertEqual(try file.size(), 2)
    }

    func testErrorsNameOperationAndPath() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        XCTAssertThrowsError(try File(path: folder.file("none"), mode: .readWrite)) { error in
            guard
                case StorageError.file("open", folder.file("none"), ENOENT)? = error
                    as? StorageError
            else { return XCTFail("\(error)") }
        }
        XCTAssertThrowsError(try File(path: folder.path, mode: .read).readAll())
    }

    /// An open file description of the same process is kept out as another process is, and stays
    /// so when a third one is closed, which would drop a POSIX lock.
    func testTheLockAgainstSQLiteBelongsToOneOpenFile() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let first = try File(path: folder.file("f"), mode: .create)
        let second = try File(path: folder.file("f"), mode: .create)
        XCTAssertTrue(try first.lockAgainstSQLite())
        XCTAssertTrue(try first.lockAgainstSQLite(), "its own lock is no obstacle")
        XCTAssertFalse(try second.lockAgainstSQLite())
        _ = try File(path: folder.file("f"), mode: .read).size()
        XCTAssertFalse(try second.lockAgainstSQLite())
        first.unlockAgainstSQLite()
        XCTAssertTrue(try second.lockAgainstSQLite())
    }

    func testTheWholeFileLockKeepsOthersOutUntilItIsReleased() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let first = try File(path: folder.file("f"), mode: .create)
        let second = try File(path: folder.file("f"), mode: .create)
        XCTAssertTrue(try first.lockWhole())
        XCTAssertFalse(try second.lockWhole())
        first.unlockWhole()
        XCTAssertTrue(try second.lockWhole())
    }

    func testRenamesDoNotReplaceUnlessTheySaySo() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write([1], to: "a")
        try folder.write([2], to: "b")
        XCTAssertFalse(
            try Directory.renameIfAbsent(folder.file("a"), to: folder.file("b"), for: .upload))
        XCTAssertTrue(
            try Directory.renameIfAbsent(folder.file("a"), to: folder.file("c"), for: .upload))
        try Directory.renameReplacing(folder.file("c"), to: folder.file("b"), for: .upload)
        XCTAssertEqual(try folder.read("b"), [1])
        XCTAssertEqual(try Directory.names(in: folder.path), ["b"])
        try Directory.removeFile(folder.file("none"), for: .upload)
        try Directory.create(folder.file("inner"), for: .upload)
        try Directory.create(folder.file("inner"), for: .upload)
        try folder.write([1], to: "inner/x")
        try Directory.remove(folder.file("inner"), for: .upload)
        try Directory.remove(folder.file("b"), for: .upload)
        XCTAssertEqual(try Directory.names(in: folder.path), [])
    }
}
