import Foundation
import XCTest

/// The page that holds byte 1 GiB: SQLite never stores data in it, and clients ask for it all the
/// same, with the segment that it lies in.
final class LockPageTests: XCTestCase {
    private let lockPage: UInt32 = 0x4000_0000 / 4096

    /// Makes the file look larger than 1 GiB: a header that says so and a hole.
    private func enlarge(_ path: String, pages: UInt32) throws {
        let file = try XCTUnwrap(FileHandle(forUpdatingAtPath: path))
        try file.truncate(atOffset: UInt64(pages) * 4096)
        try file.seek(toOffset: 28)
        try file.write(contentsOf: withUnsafeBytes(of: pages.bigEndian) { Data($0) })
        // A byte that must not be taken for content of the lock page.
        try file.seek(toOffset: 0x4000_0000)
        try file.write(contentsOf: Data([0xEE]))
        try file.close()
    }

    func testTheLockPageIsAnsweredWithZeros() throws {
        var server = try RunningServer()
        defer { server.kill() }
        try server.database("default").sql("CREATE TABLE t(x)")
        XCTAssertEqual(server.stop(), 0)
        let path = server.dataDirectory + "/databases/default/main.db"
        try? FileManager.default.removeItem(atPath: path + "-wal")
        try enlarge(path, pages: lockPage + 10)

        server = try RunningServer(folder: server.folder)
        let database = server.database("default")
        let selector = Array(lockPage - 4...lockPage + 20)
        let first = try database.pull(PullBody(selector: selector))
        XCTAssertEqual(first.databaseSize, Int(lockPage) + 10)
        XCTAssertEqual(first.ids, [0] + (Int(lockPage) - 4..<Int(lockPage) + 10))
        let zeros = [UInt8](repeating: 0, count: 4096)
        XCTAssertEqual(first.pages.first { $0.id == Int(lockPage) }?.bytes, zeros)
        let lazy = try database.pull(
            PullBody(serverRevision: first.revision, selector: [lockPage]))
        XCTAssertEqual(lazy.ids, [Int(lockPage)])
        XCTAssertEqual(lazy.pages.first?.bytes, zeros)
        XCTAssertEqual(server.stop(), 0)
    }
}
