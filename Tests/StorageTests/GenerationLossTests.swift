import Foundation
import Primitives
import SQLite
import XCTest

@testable import Storage

/// A generation whose files are gone or damaged must not begin again with a number and frames that
/// clients take for those they know.
final class GenerationLossTests: XCTestCase {
    private func database(_ fixture: StorageFixture) throws -> Database {
        try fixture.acquire().database
    }

    func testAnotherGenerationBeginsWhereOneIsLost() throws {
        let damages: [(String, (StorageFixture) throws -> Void)] = [
            (
                "no log",
                { try FileManager.default.removeItem(atPath: $0.path(.default, "generations")) }
            ),
            (
                "a damaged log",
                { fixture in
                    let url = URL(fileURLWithPath: fixture.path(.default, "generations"))
                    var bytes = try Data(contentsOf: url)
                    bytes[60] ^= 1
                    try bytes.write(to: url)
                }
            ),
            (
                "no log and no frames",
                { fixture in
                    for file in ["generations", "frames.1"] {
                        try Data().write(to: URL(fileURLWithPath: fixture.path(.default, file)))
                    }
                }
            ),
            (
                "another program",
                { fixture in
                    let connection = try Connection(
                        path: fixture.path(.default, "main.db"), mode: .readWrite)
                    try connection.execute("INSERT INTO t VALUES (7)")
                    connection.close()
                }
            ),
        ]
        for (what, damage) in damages {
            let fixture = try StorageFixture()
            defer { fixture.tearDown() }
            try fixture.execute("CREATE TABLE t(x)")
            XCTAssertEqual(try database(fixture).beginFrameSync().number, 1)
            try fixture.execute("INSERT INTO t VALUES (1)")
            fixture.close()
            try damage(fixture)
            try fixture.open()
            let generation = try XCTUnwrap(try database(fixture).frameGeneration, what)
            XCTAssertGreaterThan(generation.number, 1 << 16, what)
            XCTAssertEqual(generation.lastFrame, 0, what)
            XCTAssertNil(generation.previousEnd, what)
            for start: UInt32 in [1, 2] {
                XCTAssertThrowsError(
                    try database(fixture).frameSource(generation: 1, from: start, limit: 9), what)
            }
            try fixture.execute("INSERT INTO t VALUES (2)")
            try fixture.reopen()
            XCTAssertEqual(try database(fixture).frameGeneration?.number, generation.number)
            XCTAssertEqual(try database(fixture).frameGeneration?.lastFrame, 1, what)
        }
    }

    func testADatabaseThatNeverUsedFrameSyncHasNoGeneration() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        try fixture.execute("CREATE TABLE t(x)")
        try fixture.reopen()
        XCTAssertNil(try database(fixture).frameGeneration)
    }
}
