import CommandLineOptions
import TestSupport
import WireProtocol
import XCTest

@testable import LoadTest

/// The parts of the client that know no sockets.
final class ClientTests: XCTestCase {
    private let target = TargetURL(host: "127.0.0.1", port: 8080, path: "/db/x")

    func testURLs() throws {
        let rows: [(String, TargetURL?)] = [
            ("http://127.0.0.1:8080/db/x", target),
            ("http://127.0.0.1:8080/db/x//", target),
            ("HTTP://host", TargetURL(host: "host", port: 80, path: "")),
            ("http://[::1]:81/a", TargetURL(host: "[::1]", port: 81, path: "/a")),
            ("http://[::1]/a", TargetURL(host: "[::1]", port: 80, path: "/a")),
            ("http://host?x=1", TargetURL(host: "host", port: 80, path: "/?x=1")),
            ("https://host", nil), ("host:80", nil), ("http://", nil), ("http://:80", nil),
            ("http://host:0", nil), ("http://host:65536", nil), ("http://host:x", nil),
            ("http://ho st", nil), ("http://host/\r\nX: y", nil), ("http://host/#x", nil),
        ]
        for (text, expected) in rows {
            XCTAssertEqual(try? TargetURL(optionText: text), expected, text)
        }
        let many = try TargetURL(optionText: "http://d{n}.localhost:1/db/bench-{n}")
        XCTAssertTrue(many.hasPlaceholder)
        XCTAssertEqual(many.database(7).optionText, "http://d7.localhost:1/db/bench-7")
    }

    func testTextIsFoundHoweverItIsCut() {
        let text = Array(#"{"results":[{"mess":1,"message":"x"}]}"#.utf8)
        for size in 1...text.count {
            var (there, missing) = (TextScanner(#""message""#), TextScanner(#""massage""#))
            for start in stride(from: 0, to: text.count, by: size) {
                let piece = Array(text[start..<min(start + size, text.count)])
                there.receive(piece.span)
                missing.receive(piece.span)
            }
            XCTAssertTrue(there.isFound, "\(size)")
            XCTAssertFalse(missing.isFound, "\(size)")
            there.reset()
            XCTAssertFalse(there.isFound)
        }
    }

    func testThePullHeaderIsTakenOffHoweverItIsCut() {
        let header = PullResponseHeader(
            serverRevision: String(repeating: "r", count: 200), databaseSize: 300_000)
        let bytes = header.framedBytes() + [UInt8](repeating: 0xFF, count: 50)
        for size in 1...bytes.count {
            var reader = PullHeaderReader()
            for start in stride(from: 0, to: bytes.count, by: size) {
                reader.receive(Array(bytes[start..<min(start + size, bytes.count)]).span)
            }
            XCTAssertEqual(reader.header, header, "\(size)")
            XCTAssertEqual(reader.message, header.framedBytes())
        }
    }

    func testHostilePullHeadersEndNothing() {
        var generator = SeededGenerator(seed: 3)
        let good = PullResponseHeader(serverRevision: "r", databaseSize: 3).framedBytes()
        var reader = PullHeaderReader()
        for _ in 0..<5000 {
            reader.reset()
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
                in: 0...255, using: &generator)
            reader.receive(bytes.span)
            _ = reader.header
        }
        for bytes in [[0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0x7F] + good, [0], []] {
            reader.reset()
            reader.receive((bytes as [UInt8]).span)
            XCTAssertNil(reader.header)
        }
    }

    func testAPushIsWhatTheServerExpects() throws {
        var template = PushTemplate(
            target: target, client: "replica \"7\"", rows: 3, rowSize: 40, seed: 1)
        for (firstID, position) in [
            (1_234_567_890_123_456_789, 1), (1_999_999_999_999_999_990, 77),
        ] {
            let request = template.request(firstID: firstID, position: position)
            let text = String(decoding: request, as: UTF8.self)
            let parts = text.components(separatedBy: "\r\n\r\n")
            XCTAssertTrue(parts[0].hasPrefix("POST /db/x/v2/pipeline HTTP/1.1\r\n"))
            XCTAssertTrue(parts[0].contains("Content-Length: \(parts[1].utf8.count)"))
            let pipeline = try PipelineRequest(decoding: Array(parts[1].utf8))
            guard case .batch(let batch) = pipeline.requests.first else {
                return XCTFail("no batch")
            }
            let steps = batch.steps.map { String(describing: $0) }
            XCTAssertEqual(steps.count, 7)
            for row in 0..<3 {
                XCTAssertTrue(steps[2 + row].contains("\(firstID + row)"), steps[2 + row])
            }
            XCTAssertTrue(steps[5].contains("\(1_000_000_000 + position)"), steps[5])
            XCTAssertTrue(steps[5].contains("replica"))
        }
    }

    func testIDsOfRunsAndClientsAreApart() {
        let (one, next) = (PushLedger(run: 41), PushLedger(run: 42))
        XCTAssertEqual(one.ids.upperBound, next.ids.lowerBound)
        XCTAssertEqual(one.firstID(of: 0), one.ids.lowerBound)
        XCTAssertEqual(
            one.firstID(of: PushLedger.maximumClients - 1) + PushLedger.rowsPerClient,
            one.ids.upperBound)
        let last = PushLedger(run: PushLedger.runNumbers.upperBound - 1)
        XCTAssertEqual(String(last.ids.upperBound - 1).count, 19)
        XCTAssertEqual(String(PushLedger(run: 0).ids.lowerBound).count, 19)
    }

    func testMixesAreDrawnByTheirShares() throws {
        let mix = try OperationMix(optionText: "pull=3,push=1")
        XCTAssertEqual(mix.optionText, "push=1,pull=3")
        let drawn = (0..<400).map { mix.operation(for: $0) }
        XCTAssertEqual(drawn.count { $0 == .push }, 100)
        XCTAssertEqual(drawn.count { $0 == .pull }, 300)
        for text in ["", "push", "push=", "push=-1", "push=0", "other=1", "push=1,,pull=1"] {
            XCTAssertThrowsError(try OperationMix(optionText: text), text)
        }
    }

    func testFramesAreAppliedOrRefused() {
        func frame(_ page: UInt32, _ size: UInt32, _ fill: UInt8) -> [UInt8] {
            [page, size].flatMap { value in
                withUnsafeBytes(of: value.bigEndian) { Array($0) }
            } + [UInt8](repeating: 9, count: 16) + [UInt8](repeating: fill, count: 4096)
        }
        var image = FrameImage([UInt8](repeating: 1, count: 8192))
        XCTAssertEqual(image.apply(frame(2, 0, 5) + frame(3, 3, 6)), 2)
        XCTAssertEqual(image.bytes.count, 3 * 4096)
        XCTAssertEqual([0, 4096, 8192].map { image.bytes[$0] }, [1, 5, 6])
        XCTAssertEqual(image.apply(frame(1, 1, 7)), 1)
        XCTAssertEqual(image.bytes.count, 4096)
        for bad in [frame(0, 1, 1), frame(.max, 1, 1), frame(1, .max, 1), [1, 2, 3]] {
            XCTAssertNil(image.apply(bad))
        }
        XCTAssertNil(FrameAnswer(Array("[]".utf8)))
        XCTAssertNil(FrameAnswer(Array("{".utf8)))
        XCTAssertEqual(FrameAnswer(Array(#"{"status":"ok","max_frame_no":5}"#.utf8))?.lastFrame, 5)
    }

    func testWakeUpsCountFromTheAcknowledgement() {
        var round = LongPollRound(waiters: 4)
        XCTAssertNil(round.wake(at: 90))
        XCTAssertNil(round.wake(at: 95))
        XCTAssertFalse(round.isComplete)
        XCTAssertEqual(round.acknowledge(at: 100), [0, 0])
        XCTAssertEqual(round.wake(at: 130), 30)
        XCTAssertFalse(round.isComplete)
        round.lose()
        XCTAssertTrue(round.isComplete)
        // All were early: nothing is complete before the acknowledgement.
        var early = LongPollRound(waiters: 1)
        XCTAssertNil(early.wake(at: 1))
        XCTAssertFalse(early.isComplete)
        XCTAssertEqual(early.acknowledge(at: 2), [0])
        XCTAssertTrue(early.isComplete)
    }
}
