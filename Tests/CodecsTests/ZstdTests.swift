import CZstd
import TestSupport
import XCTest

@testable import Codecs

final class ZstdTests: XCTestCase {
    private func decode(
        _ chunks: [ArraySlice<UInt8>], limit: Int = 1 << 20, windowLog: Int32 = 23
    ) throws -> [UInt8] {
        var decoder = try ZstdDecoder(outputLimit: limit, windowLog: windowLog)
        var output: [UInt8] = []
        for chunk in chunks { try decoder.decode(chunk, into: &output) }
        try decoder.finish()
        return output
    }

    /// Does not compress well.
    private func noise(_ count: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: 1)
        return (0..<count).map { _ in UInt8.random(in: 0..<200, using: &generator) }
    }

    func testRoundTrips() throws {
        for count in [0, 1, 100, 131_072, 131_073, 500_000] {
            let original = noise(count)
            let frame = try ZstdEncoder.compress(original)
            XCTAssertEqual(try decode([frame[...]]), original, "\(count) bytes")
        }
    }

    func testDecodesAtEverySplit() throws {
        let original = Array("the same again, ".utf8) + noise(40) + Array("the same again, ".utf8)
        let frame = try ZstdEncoder.compress(original)
        for split in 0...frame.count {
            XCTAssertEqual(try decode([frame[..<split], frame[split...]]), original)
        }
        XCTAssertEqual(try decode(frame.indices.map { frame[$0...$0] }), original)
    }

    func testFramesMayFollowEachOther() throws {
        let skippable: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 9, 9]
        let frames =
            try ZstdEncoder.compress([1, 2]) + skippable + ZstdEncoder.compress([])
            + ZstdEncoder.compress([3])
        XCTAssertEqual(try decode([frames[...]]), [1, 2, 3])
    }

    func testAnEmptyBodyIsEmpty() throws {
        XCTAssertEqual(try decode([]), [])
    }

    func testTheLimitIsExact() throws {
        let frame = try ZstdEncoder.compress(noise(1000))
        XCTAssertEqual(try decode([frame[...]], limit: 1000).count, 1000)
        assertThrows(.outputTooLarge(limit: 999)) { try decode([frame[...]], limit: 999) }
        let two = frame + frame
        assertThrows(.outputTooLarge(limit: 1999)) { try decode([two[...]], limit: 1999) }
    }

    func testABombIsRefusedWhileItExpands() throws {
        let bomb = try ZstdEncoder.compress([UInt8](repeating: 0, count: 256 << 20))
        XCTAssertLessThan(bomb.count, 64 << 10)
        var decoder = try ZstdDecoder(outputLimit: 1 << 20)
        var output: [UInt8] = []
        assertThrows(.outputTooLarge(limit: 1 << 20)) {
            try decoder.decode(bomb[...], into: &output)
        }
        XCTAssertLessThanOrEqual(output.count, 1 << 20)
    }

    func testRefusesBadInput() throws {
        let frame = try ZstdEncoder.compress(noise(1000))
        var damaged = frame
        damaged[4] |= 0x08  // A reserved bit of the frame header.
        for (name, bytes) in [
            ("text", Array("not zstd at all".utf8)), ("gzip", [0x1F, 0x8B, 8, 0, 0]),
            ("damaged", damaged), ("garbage after a frame", frame + [1, 2, 3, 4, 5]),
        ] {
            XCTAssertThrowsError(try decode([bytes[...]]), name) { error in
                guard case .malformed = error as? ZstdError else {
                    return XCTFail("\(name): \(error)")
                }
            }
        }
    }

    func testRefusesEveryCut() throws {
        let frame = try ZstdEncoder.compress(noise(200))
        for count in 1..<frame.count {
            assertThrows(.truncated) { try decode([frame[..<count]]) }
        }
        assertThrows(.truncated) { try decode([(frame + frame[..<3])[...]]) }
    }

    func testRefusesALargeWindow() throws {
        // A frame header alone: no single segment, window descriptor of 2^(10 + 17) bytes.
        let header: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 17 << 3, 1, 0, 0]
        assertThrows(.windowTooLarge) { try decode([header[...]]) }
        XCTAssertEqual(try decode([header[...]], windowLog: 27), [])
    }

    func testMutationsNeverExceedTheLimit() throws {
        var generator = SeededGenerator.announced(for: name)
        let frame = try ZstdEncoder.compress(Array(repeating: 7, count: 5000) + noise(300))
        for _ in 0..<2000 {
            let mutated = generator.mutate(frame)
            if let output = try? decode([mutated[...]], limit: 6000) {
                XCTAssertLessThanOrEqual(output.count, 6000)
            }
        }
    }

    private func assertThrows(
        _ expected: ZstdError, line: UInt = #line, _ body: () throws -> some Any
    ) {
        XCTAssertThrowsError(try body(), line: line) { error in
            XCTAssertEqual(error as? ZstdError, expected, line: line)
        }
    }
}
