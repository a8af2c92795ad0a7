import TestSupport
import XCTest

@testable import HTTP

final class HTTPResponseParserTests: XCTestCase {
    /// What a parser made of bytes: statuses and bodies of complete responses, and the error.
    private struct Outcome: Equatable {
        var responses: [String] = []
        var error: HTTPResponseError?
        var isBetween = true
    }

    private func parse(_ text: String, cut: (Int) -> Int, ends: Bool = false) -> Outcome {
        let bytes = Array(text.utf8)
        var parser = HTTPResponseParser()
        var (outcome, body, status) = (Outcome(), [UInt8](), 0)
        var start = 0
        func complete() {
            outcome.responses.append("\(status) \(String(decoding: body, as: UTF8.self))")
            body = []
        }
        do throws(HTTPResponseError) {
            while start < bytes.count {
                let end = min(bytes.count, start + max(1, cut(start)))
                let piece = Array(bytes[start..<end])
                var offset = 0
                while let event = try parser.next(in: piece.span, at: &offset) {
                    switch event {
                    case .head(let head): status = head.status
                    case .body(let range): body += piece[range]
                    case .end: complete()
                    }
                }
                XCTAssertEqual(offset, piece.count)
                start = end
            }
            if ends, try parser.connectionEnded() { complete() }
        } catch {
            outcome.error = error
        }
        outcome.isBetween = parser.isBetweenResponses
        return outcome
    }

    private static let good: [(String, [String])] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ["200 hello"]),
        ("HTTP/1.1 200 OK\r\ncontent-LENGTH:0\r\n\r\n", ["200 "]),
        ("HTTP/1.1 204 No Content\r\n\r\n", ["204 "]),
        ("HTTP/1.1 304\r\nContent-Length: 99\r\n\r\n", ["304 "]),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n"
                + "0123456789\r\n0\r\nTrailer: x\r\n\r\n", ["200 hello0123456789"]
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            ["200 x"]
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 Not Found\r\n"
                + "Content-Length: 2\r\n\r\nbb", ["200 a", "404 bb"]
        ),
    ]

    func testResponsesAtEverySplit() {
        for (text, expected) in Self.good {
            for size in 1...text.utf8.count {
                let outcome = parse(text, cut: { _ in size })
                XCTAssertEqual(outcome.responses, expected, "\(size): \(text)")
                XCTAssertNil(outcome.error, text)
                XCTAssertTrue(outcome.isBetween, text)
            }
        }
    }

    func testABodyWithoutLengthEndsWithTheConnection() {
        let text = "HTTP/1.0 200 OK\r\n\r\nall of this"
        XCTAssertEqual(parse(text, cut: { _ in 3 }, ends: true).responses, ["200 all of this"])
        XCTAssertEqual(parse(text, cut: { _ in 3 }).responses, [])
    }

    func testEveryTruncationIsNoticed() {
        for (text, expected) in Self.good where expected.count == 1 {
            for end in 1..<text.utf8.count {
                let part = String(decoding: Array(text.utf8)[..<end], as: UTF8.self)
                let outcome = parse(part, cut: { _ in 1000 }, ends: true)
                XCTAssertEqual(outcome.responses, [], part)
                // Between an interim response and the next there is nothing to miss.
                if outcome.isBetween { continue }
                XCTAssertEqual(outcome.error, .truncated, part)
            }
        }
    }

    func testWhatIsRefused() {
        let rows: [(String, HTTPResponseError)] = [
            ("HTTP/2 200 OK\r\n\r\n", .malformedStatusLine),
            ("HTTP/1.1 20 OK\r\n\r\n", .malformedStatusLine),
            ("HTTP/1.1 2000 OK\r\n\r\n", .malformedStatusLine),
            ("HTTP/1.1 099 OK\r\n\r\n", .malformedStatusLine),
            ("HTTP/1.1 101 Switching\r\n\r\n", .malformedStatusLine),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", .malformedStatusLine),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", .malformedField),
            ("HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", .malformedField),
            ("HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n", .malformedField),
            ("HTTP/1.1 200 OK\r\na: \u{1}\r\n\r\n", .malformedField),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
                .invalidContentLength
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .invalidContentLength),
            ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", .invalidContentLength),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
                .invalidContentLength
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                .lengthAndTransferEncoding
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                .unknownTransferEncoding
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .malformedChunks),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", .malformedChunks),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000001\r\n",
                .malformedChunks
            ),
        ]
        for (text, error) in rows {
            for size in [1, 2, 7, 1000] {
                XCTAssertEqual(parse(text, cut: { _ in size }).error, error, text)
            }
        }
        let endless = "HTTP/1.1 200 OK\r\n" + String(repeating: "a: b\r\n", count: 20_000)
        XCTAssertEqual(parse(endless, cut: { _ in 4096 }).error, .headTooLarge)
    }

    /// Whatever comes, the same comes of it in other pieces.
    func testDamagedBytesNeverCrash() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<3000 {
            var bytes = Array(Self.good.randomElement(using: &generator)!.0.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[index] = UInt8.random(in: 0..<128, using: &generator)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let whole = parse(text, cut: { _ in 10_000 })
            let pieces = parse(text, cut: { $0 % 3 + 1 })
            XCTAssertEqual(whole.responses, pieces.responses, text)
            XCTAssertEqual(whole.error, pieces.error, text)
        }
    }

    func testWhetherTheConnectionGoesOn() throws {
        let rows: [(String, Bool)] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", true),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\n\r\n", false),
        ]
        for (text, keeps) in rows {
            let bytes = Array(text.utf8)
            var (parser, offset) = (HTTPResponseParser(), 0)
            guard case .head(let head) = try parser.next(in: bytes.span, at: &offset) else {
                return XCTFail(text)
            }
            XCTAssertEqual(head.keepsConnection, keeps, text)
        }
    }
}
