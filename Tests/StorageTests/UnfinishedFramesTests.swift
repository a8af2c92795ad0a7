import Primitives
import XCTest

@testable import Storage

/// What a database remembers of frames that clients count as its own and that no commit has.
final class UnfinishedFramesTests: XCTestCase {
    private func frames(
        _ generation: UInt32, _ range: ClosedRange<UInt32>
    ) -> UnfinishedFrames {
        UnfinishedFrames(generation: generation, frames: range)
    }

    func testRoomIsMadeForMore() {
        let rows: [(ClosedRange<UInt32>, ClosedRange<UInt32>)] = [
            (1...1, 1...4096), (7...4102, 7...4102), (7...4103, 7...8198),
            (4_294_967_000...4_294_967_001, 4_294_967_000...UInt32.max),
        ]
        for (range, room) in rows {
            XCTAssertEqual(frames(3, range).withRoom, frames(3, room), "\(range)")
        }
        XCTAssertTrue(frames(1, 5...9).covers(frames(1, 5...9)))
        XCTAssertTrue(frames(1, 5...9).covers(frames(1, 5...6)))
        for other in [frames(2, 5...6), frames(1, 6...6), frames(1, 4...6), frames(1, 5...10)] {
            XCTAssertFalse(frames(1, 5...9).covers(other), "\(other)")
        }
    }

    func testTheyOutliveTheProcessAndOneRoll() throws {
        let fixture = try StorageFixture()
        defer { fixture.tearDown() }
        func database() throws -> Database { try fixture.acquire().database }
        func roll() throws {
            try fixture.write(database()) { try $0.rollGeneration() }
        }
        try fixture.execute("CREATE TABLE t(x)")
        _ = try database().beginFrameSync()
        XCTAssertEqual(try database().unfinishedFrames, [])
        try database().noteUnfinished([frames(1, 3...5), frames(1, 9...9)])
        let noted = [frames(1, 3...4098), frames(1, 9...4104)]
        XCTAssertEqual(try database().unfinishedFrames, noted)
        try fixture.reopen()
        XCTAssertEqual(try database().unfinishedFrames, noted)
        // There is room for more of one, and the other one came to its end.
        try database().noteUnfinished([frames(1, 9...800)])
        XCTAssertEqual(try database().unfinishedFrames, [noted[1]])
        try database().noteUnfinished([frames(1, 9...5000)])
        XCTAssertEqual(try database().unfinishedFrames, [frames(1, 9...8200)])
        try roll()
        try database().noteUnfinished([frames(1, 9...5000), frames(2, 1...1)])
        try fixture.reopen()
        XCTAssertEqual(
            try database().unfinishedFrames, [frames(1, 9...8200), frames(2, 1...4096)])
        try roll()
        try fixture.reopen()
        XCTAssertEqual(try database().unfinishedFrames, [frames(2, 1...4096)])
        try database().noteUnfinished([])
        XCTAssertEqual(try database().unfinishedFrames, [])
    }
}
