import Primitives
import TestSupport
import XCTest

@testable import WireProtocol

/// Restates docs/protocol.md, "Frame sync"; change the two together.
final class FrameSyncMessageTests: XCTestCase {
    func testNumbersAreStrictDecimals() {
        let rows: [(text: String, number: UInt32?)] = [
            ("0", 0), ("1", 1), ("007", 7), ("4294967295", .max), ("4294967296", nil),
            ("99999999999999999999", nil), ("", nil), ("+1", nil), ("-1", nil), ("-0", nil),
            (" 1", nil), ("1 ", nil), ("1_0", nil), ("0x1", nil), ("1e2", nil), ("1.0", nil),
            ("%31", nil), ("١", nil), ("1\0", nil), ("a", nil),
        ]
        for row in rows { XCTAssertEqual(FrameRange.number(row.text), row.number, row.text) }
    }

    func testRanges() throws {
        let range = try XCTUnwrap(FrameRange(generation: "2", start: "5", end: "9"))
        XCTAssertEqual(range.generation, 2)
        XCTAssertEqual(range.count, 4)
        XCTAssertEqual(range.last, 8)
        for (generation, start, end): (UInt32, UInt32, UInt32) in [
            (0, 1, 2), (1, 0, 2), (1, 2, 2), (1, 3, 2), (1, .max, .max), (0, 0, 0),
        ] {
            XCTAssertNil(FrameRange(generation: generation, start: start, end: end))
        }
        XCTAssertEqual(FrameRange(generation: 1, start: 1, end: .max)?.count, 4_294_967_294)
    }

    func testAnswersByteForByte() {
        let ok = FrameSyncAnswer(status: .ok, generation: 1, lastFrame: 128, baton: "0a1b")
        XCTAssertEqual(
            String(decoding: ok.pushJSON, as: UTF8.self),
            #"{"status":"ok","generation":1,"max_frame_no":128,"baton":"0a1b"}"#)
        let conflict = FrameSyncAnswer(status: .conflict, generation: 4_294_967_295, lastFrame: 0)
        XCTAssertEqual(
            String(decoding: conflict.pushJSON, as: UTF8.self),
            #"{"status":"conflict","generation":4294967295,"max_frame_no":0,"baton":null}"#)
        let end = FrameSyncAnswer(status: .checkpointNeeded, generation: 2, lastFrame: 7)
        XCTAssertEqual(
            String(decoding: end.pushJSON, as: UTF8.self),
            #"{"status":"checkpoint_needed","generation":2,"max_frame_no":7,"baton":null}"#)
        XCTAssertEqual(
            String(decoding: end.endOfGenerationJSON, as: UTF8.self),
            #"{"baton":null,"status":"checkpoint_needed","generation":2,"max_frame_no":7}"#)
        XCTAssertEqual(
            String(decoding: FrameSyncAnswer.infoJSON(generation: 3), as: UTF8.self),
            #"{"current_generation":3}"#)
    }

    // MARK: bodies

    /// Frames whose checksums go on from `start`, as a client's WAL has them.
    private func body(
        _ count: Int, isBigEndian: Bool, generator: inout SeededGenerator
    ) -> [UInt8] {
        var sum: (UInt32, UInt32) = (generator.next(), generator.next())
        var body: [UInt8] = []
        for index in 0..<count {
            var header = [UInt8](repeating: 0, count: 16)
            header[3] = UInt8(index + 1)
            if index == count - 1 { header[7] = 9 }
            let page = (0..<4096).map { _ in UInt8.random(in: 0...255, using: &generator) }
            for part in [Array(header[..<8]), page] {
                sum = part.withUnsafeBytes {
                    WALChecksum.checksum($0, from: sum, isBigEndian: isBigEndian)
                }
            }
            body += header
            for word in [sum.0, sum.1] {
                body += withUnsafeBytes(of: word.bigEndian) { Array($0) }
            }
            body += page
        }
        return body
    }

    func testABodyHasWholeFrames() throws {
        for (size, count) in [(0, 1), (4119, 1), (4121, 1), (4120, 2), (8240, 1), (24, 1)] {
            XCTAssertThrowsError(
                try FrameBody(decoding: [UInt8](repeating: 0, count: size), count: count)
            ) {
                XCTAssertEqual(
                    $0 as? FrameBody.Failure,
                    .wrongSize(expected: count * 4120, actual: size))
            }
        }
        // What precedes the first frame is not here, so it is not checked.
        let one = try FrameBody(decoding: [UInt8](repeating: 1, count: 4120), count: 1)
        XCTAssertEqual(one.count, 1)
        XCTAssertEqual(one[0].count, 4120)
    }

    func testDamageOnTheWayIsFound() throws {
        var generator = SeededGenerator(seed: 4)
        for isBigEndian in [false, true] {
            let whole = body(3, isBigEndian: isBigEndian, generator: &generator)
            let decoded = try FrameBody(decoding: whole, count: 3)
            XCTAssertEqual(decoded.count, 3)
            XCTAssertEqual(decoded[1], whole[4120..<8240])
            for offset in [4120 + 3, 4120 + 24, 4120 + 16, 2 * 4120 - 1, 3 * 4120 - 1, 2 * 4120] {
                var damaged = whole
                damaged[offset] ^= 0x40
                XCTAssertThrowsError(try FrameBody(decoding: damaged, count: 3), "\(offset)") {
                    guard case .brokenChain = $0 as? FrameBody.Failure else {
                        return XCTFail("\($0)")
                    }
                }
            }
            // Salts are not looked at.
            var salted = whole
            salted[4120 + 9] ^= 1
            XCTAssertNoThrow(try FrameBody(decoding: salted, count: 3))
        }
    }
}
