import TestSupport
import XCTest

@testable import HTTP

final class HTTPRequestParserTests: XCTestCase {
    private struct Refused {
        let name: String
        let request: String
        let error: HTTPParseError
        let line: UInt

        init(_ name: String, _ request: String, _ error: HTTPParseError, line: UInt = #line) {
            self.name = name
            self.request = request
            self.error = error
            self.line = line
        }
    }

    /// A head with a Host, the fields given, and no body.
    private static func get(_ fields: String...) -> String {
        "GET / HTTP/1.1\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    private static func chunked(_ body: String) -> String {
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    }

    private static let refused: [Refused] = [
        // Request line.
        Refused("HTTP/0.9", "GET /\r\n\r\n", .malformedRequestLine),
        Refused("no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused(
            "space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused("space at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused("tab for a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused("space first", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused("bad method", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused("lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused("version without a dot", "GET / HTTP/11\r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused("long version", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", .malformedRequestLine),
        Refused("version 2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", .unsupportedVersion),
        Refused("version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", .unsupportedVersion),
        Refused("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
        Refused("a TLS greeting", "\u{16}\u{3}\u{1}", .malformedRequestLine),
        Refused("two empty lines first", "\r\n\r\n" + get(), .malformedRequestLine),
        Refused("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", .unsupportedMethod),
        Refused("relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
        Refused("asterisk with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
        Refused("fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
        Refused("not ASCII", "GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
        Refused("foreign scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
        Refused("no authority", "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
        Refused("no slashes", "GET http: HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
        Refused("user information", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget),
        // Line ends and control characters.
        Refused("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLineFeed),
        Refused("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed),
        Refused("bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
        Refused("bare LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed),
        Refused("bare CR in a value", get("X: a\rb"), .bareCarriageReturn),
        Refused("bare CR in the request line", "GET /\r HTTP/1.1\r\n\r\n", .bareCarriageReturn),
        Refused("two CRs", get("X: a\r"), .bareCarriageReturn),
        Refused("NUL in a value", get("X: a\0b"), .controlCharacter),
        Refused("NUL in a name", get("X\0: a"), .controlCharacter),
        Refused("escape in a value", get("X: \u{1b}[0m"), .controlCharacter),
        Refused("delete in a value", get("X: \u{7f}"), .controlCharacter),
        // Fields.
        Refused("folded with a space", get("X: a", " b"), .foldedField),
        Refused("folded with a tab", get("X: a", "\tb"), .foldedField),
        Refused("space before the colon", get("X : a"), .invalidFieldName),
        Refused("tab before the colon", get("X\t: a"), .invalidFieldName),
        Refused("empty name", get(": a"), .invalidFieldName),
        Refused("no colon", get("X"), .invalidFieldName),
        Refused("name with a bracket", get("X[0]: a"), .invalidFieldName),
        Refused("name that is not ASCII", get("\u{e4}: a"), .invalidFieldName),
        // Host.
        Refused("no Host", "GET / HTTP/1.1\r\n\r\n", .missingHost),
        Refused("absolute target, no Host", "GET http://a/ HTTP/1.1\r\n\r\n", .missingHost),
        Refused("two Hosts", get("Host: a"), .repeatedHost),
        Refused("two Hosts on 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", .repeatedHost),
        Refused("space in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .invalidHost),
        Refused("path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .invalidHost),
        Refused("user in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .invalidHost),
        // Length.
        Refused(
            "length and coding", get("Content-Length: 1", "Transfer-Encoding: chunked"),
            .lengthAndTransferEncoding),
        Refused(
            "coding and length", get("Transfer-Encoding: chunked", "Content-Length: 0"),
            .lengthAndTransferEncoding),
        Refused(
            "two lengths", get("Content-Length: 1", "Content-Length: 2"),
            .repeatedContentLength),
        Refused(
            "two equal lengths", get("Content-Length: 1", "Content-Length: 1"),
            .repeatedContentLength),
        Refused("list of lengths", get("Content-Length: 1, 1"), .invalidContentLength),
        Refused("plus", get("Content-Length: +1"), .invalidContentLength),
        Refused("minus", get("Content-Length: -1"), .invalidContentLength),
        Refused("space inside", get("Content-Length: 1 1"), .invalidContentLength),
        Refused("empty length", get("Content-Length:"), .invalidContentLength),
        Refused("hexadecimal", get("Content-Length: 0x1"), .invalidContentLength),
        Refused("fraction", get("Content-Length: 1.0"), .invalidContentLength),
        Refused("65 bits", get("Content-Length: 18446744073709551616"), .invalidContentLength),
        Refused(
            "many digits", get("Content-Length: 99999999999999999999999"),
            .invalidContentLength),
        // Transfer-Encoding.
        Refused("gzip", get("Transfer-Encoding: gzip"), .unknownTransferEncoding),
        Refused("gzip, chunked", get("Transfer-Encoding: gzip, chunked"), .unknownTransferEncoding),
        Refused("xchunked", get("Transfer-Encoding: xchunked"), .unknownTransferEncoding),
        Refused("identity", get("Transfer-Encoding: identity"), .unknownTransferEncoding),
        Refused(
            "chunked twice", get("Transfer-Encoding: chunked, chunked"),
            .invalidTransferEncoding),
        Refused(
            "two fields", get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
            .invalidTransferEncoding),
        Refused(
            "hidden coding", get("Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
            .invalidTransferEncoding),
        Refused("empty coding", get("Transfer-Encoding:"), .invalidTransferEncoding),
        Refused("comma", get("Transfer-Encoding: chunked,"), .invalidTransferEncoding),
        Refused("parameter", get("Transfer-Encoding: chunked;a=b"), .invalidTransferEncoding),
        Refused("quoted", get("Transfer-Encoding: \"chunked\""), .invalidTransferEncoding),
        Refused("vertical tab", get("Transfer-Encoding: \u{b}chunked"), .controlCharacter),
        Refused(
            "on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            .invalidTransferEncoding),
        // Chunks.
        Refused("empty size", chunked("\r\n"), .invalidChunkSize),
        Refused("extension without a size", chunked(";a\r\n"), .invalidChunkSize),
        Refused("plus", chunked("+1\r\na\r\n"), .invalidChunkSize),
        Refused("minus", chunked("-1\r\na\r\n"), .invalidChunkSize),
        Refused("0x", chunked("0x1\r\na\r\n"), .invalidChunkSize),
        Refused("space before the size", chunked(" 1\r\na\r\n"), .invalidChunkSize),
        Refused("space after the size", chunked("1 \r\na\r\n"), .invalidChunkSize),
        Refused("space before the extension", chunked("1 ;a\r\na\r\n"), .invalidChunkSize),
        Refused("not hexadecimal", chunked("g\r\n"), .invalidChunkSize),
        Refused("65 bits", chunked("10000000000000000\r\n"), .invalidChunkSize),
        Refused("17 digits", chunked("00000000000000001\r\na\r\n"), .invalidChunkSize),
        Refused("size ends with LF", chunked("1\na\r\n"), .invalidChunkSize),
        Refused("size ends with CR", chunked("1\ra\r\n"), .invalidChunkSize),
        Refused("LF in the extension", chunked("1;a\nb\r\n"), .invalidChunkSize),
        Refused("NUL in the extension", chunked("1;\0\r\n"), .invalidChunkSize),
        Refused("data longer than its size", chunked("1\r\nab\r\n"), .missingChunkEnd),
        Refused("data ends with LF", chunked("1\r\na\n"), .missingChunkEnd),
        Refused("data ends with CR", chunked("1\r\na\rb"), .missingChunkEnd),
        Refused("next size at once", chunked("1\r\na1\r\n"), .missingChunkEnd),
        Refused("trailer without a colon", chunked("0\r\na\r\n\r\n"), .invalidTrailer),
        Refused("folded trailer", chunked("0\r\na: b\r\n c\r\n\r\n"), .invalidTrailer),
        Refused("trailer with a bare LF", chunked("0\r\na: b\n\r\n"), .invalidTrailer),
        Refused("end with a bare LF", chunked("0\r\n\n"), .invalidTrailer),
        Refused("end with a bare CR", chunked("0\r\n\ra"), .invalidTrailer),
    ]

    func testAmbiguousAndMalformedRequestsAreRefused() {
        for row in Self.refused {
            let trace = ParseTrace(row.request)
            XCTAssertEqual(trace.error, row.error, row.name, line: row.line)
        }
    }

    func testRefusalDoesNotDependOnHowBytesArrive() {
        for row in Self.refused {
            let whole = ParseTrace(row.request)
            let bytewise = ParseTrace(row.request, cuts: Array(1..<row.request.utf8.count))
            XCTAssertEqual(whole, bytewise, row.name, line: row.line)
        }
    }

    func testAFailedParserKeepsFailing() {
        var parser = HTTPRequestParser()
        for _ in 0..<2 {
            var offset = 0
            let bytes = Array("GET / HTTP/1.1\n".utf8)
            XCTAssertThrowsError(try parser.next(in: bytes.span, at: &offset))
        }
        var offset = 0
        let good = Array(Self.get().utf8)
        XCTAssertThrowsError(try parser.next(in: good.span, at: &offset))
    }

    func testAcceptedRequests() {
        let rows: [(name: String, request: String, lines: [String])] = [
            (
                "plain", "GET /a?b=c HTTP/1.1\r\nHost: h:1\r\nX-A:  b c\t\r\n\r\n",
                ["GET /a ?b=c true none host=h:1|x-a=b c", "end"]
            ),
            (
                "one empty line first", "\r\nGET / HTTP/1.1\r\nhost:\r\n\r\n",
                ["GET / ?- true none host=", "end"]
            ),
            ("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", ["GET / ?- false none ", "end"]),
            (
                "doubled slash",
                "POST //pull-updates HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                ["POST //pull-updates ?- true sized(0) host=a|content-length=0", "end"]
            ),
            (
                "absolute", "GET HTTP://b:2/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
                ["GET /x ?y true none host=b:2", "end"]
            ),
            (
                "absolute without a path", "GET http://[::1]:2?y HTTP/1.0\r\n\r\n",
                ["GET / ?y false none host=[::1]:2", "end"]
            ),
            (
                "asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
                ["OPTIONS * ?- true none host=a", "end"]
            ),
            ("empty query", "GET /? HTTP/1.0\r\n\r\n", ["GET / ? false none ", "end"]),
            (
                "largest length", "POST / HTTP/1.0\r\nContent-Length: 18446744073709551615\r\n\r\n",
                ["POST / ?- false sized(18446744073709551615) content-length=18446744073709551615"]
            ),
            (
                "leading zeros", "POST / HTTP/1.0\r\nContent-Length: 002\r\n\r\nab",
                ["POST / ?- false sized(2) content-length=002", "body ab", "end"]
            ),
            (
                "chunked",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                    + "1\r\na\r\n0A;x=\"y\"\r\nbcdefghijk\r\n000\r\nT: v\r\nU:\r\n\r\n",
                [
                    "POST / ?- true chunked host=a|transfer-encoding=Chunked", "body abcdefghijk",
                    "end",
                ]
            ),
        ]
        for row in rows {
            XCTAssertEqual(ParseTrace(row.request).lines, row.lines, row.name)
        }
    }

    // MARK: Pieces

    private static let stream =
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        + "GET /b?c HTTP/1.1\r\nHost: a\r\nX-Long: \(String(repeating: "x", count: 70))\r\n\r\n"
        + chunked("3;e\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n")
        + "\r\nGET /d HTTP/1.0\r\n\r\n"

    func testEverySplitPointGivesTheSameRequests() {
        let bytes = Array(Self.stream.utf8)
        let whole = ParseTrace(bytes)
        XCTAssertEqual(whole.lines.filter { $0 == "end" }.count, 4)
        XCTAssertNil(whole.error)
        for cut in 0...bytes.count {
            XCTAssertEqual(ParseTrace(bytes, cuts: [cut]), whole, "cut at \(cut)")
        }
        XCTAssertEqual(ParseTrace(bytes, cuts: Array(1..<bytes.count)), whole)
    }

    func testEveryPairOfSplitPointsGivesTheSameRequests() {
        let bytes = Array(Self.chunked("2\r\nab\r\n0\r\nT: v\r\n\r\n").utf8)
        let whole = ParseTrace(bytes)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                XCTAssertEqual(ParseTrace(bytes, cuts: [first, second]), whole)
            }
        }
    }

    /// Mutates good and bad requests and compares one piece with random pieces. A crash or a
    /// difference is a failure; what the bytes mean is not asked.
    func testMutatedBytesNeitherCrashNorDependOnSplits() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("parser mutation seed: \(seed)")
        var random = SeededGenerator(seed: seed)
        var limits = HTTPParserLimits()
        limits.headBytes = 300
        limits.targetBytes = 40
        limits.fieldCount = 6
        limits.trailerBytes = 30
        limits.chunkExtensionBytes = 12
        let seeds = [Self.stream] + Self.refused.map(\.request)
        let interesting = Array("\r\n\r\n\r\n \t:;,0123456789abcdefF\0\u{7f}/?*".utf8)
        for round in 0..<4000 {
            var bytes = Array((seeds.randomElement(using: &random) ?? "").utf8)
            for _ in 0..<Int.random(in: 0...6, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = interesting.randomElement(using: &random) ?? 0
                case 1: bytes.insert(interesting.randomElement(using: &random) ?? 0, at: at)
                case 2: bytes.remove(at: at)
                default:
                    let end = min(bytes.count, at + Int.random(in: 1...40, using: &random))
                    bytes.insert(contentsOf: bytes[at..<end], at: at)
                }
            }
            let whole = ParseTrace(bytes, limits: limits)
            let cuts = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                Int.random(in: 0...bytes.count, using: &random)
            }.sorted()
            let split = ParseTrace(bytes, cuts: cuts, limits: limits)
            XCTAssertEqual(split, whole, "seed \(seed), round \(round), cuts \(cuts)")
            guard split == whole else { return }
        }
    }

    // MARK: Limits

    func testHeadLimitIsExact() {
        var limits = HTTPParserLimits()
        let request = Self.get("X: \(String(repeating: "x", count: 100))")
        limits.headBytes = request.utf8.count
        XCTAssertNil(ParseTrace(request, limits: limits).error)
        limits.headBytes -= 1
        XCTAssertEqual(ParseTrace(request, limits: limits).error, .headTooLarge)
        // Also before the end of the head has arrived.
        let endless = "GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 200)
        XCTAssertEqual(ParseTrace(endless, limits: limits).error, .headTooLarge)
    }

    func testTargetLimit() {
        var limits = HTTPParserLimits()
        limits.targetBytes = 10
        func request(_ length: Int) -> String {
            "GET /\(String(repeating: "a", count: length - 1)) HTTP/1.0\r\n\r\n"
        }
        XCTAssertNil(ParseTrace(request(10), limits: limits).error)
        XCTAssertEqual(ParseTrace(request(11), limits: limits).error, .targetTooLong)
        let endless = "GET /" + String(repeating: "a", count: 200)
        XCTAssertEqual(ParseTrace(endless, limits: limits).error, .targetTooLong)
    }

    func testFieldCountLimit() {
        var limits = HTTPParserLimits()
        limits.fieldCount = 3
        XCTAssertNil(ParseTrace(Self.get("A: 1", "B: 2"), limits: limits).error)
        XCTAssertEqual(
            ParseTrace(Self.get("A: 1", "B: 2", "C: 3"), limits: limits).error, .tooManyFields)
    }

    func testTrailersAndChunkExtensionsAreBounded() {
        let trailer = "T: " + String(repeating: "x", count: 10_000)
        XCTAssertEqual(ParseTrace(Self.chunked("0\r\n" + trailer)).error, .trailersTooLarge)
        let oneExtension = "1;" + String(repeating: "x", count: 20_000)
        XCTAssertEqual(ParseTrace(Self.chunked(oneExtension)).error, .invalidChunkSize)
        let manyExtensions = String(
            repeating: "1;" + String(repeating: "x", count: 100) + "\r\na\r\n", count: 200)
        XCTAssertEqual(ParseTrace(Self.chunked(manyExtensions)).error, .invalidChunkSize)
    }

    /// A megabyte of head bytes, one at a time: quadratic work would take minutes.
    func testBytewiseArrivalIsNotQuadratic() {
        var limits = HTTPParserLimits()
        limits.headBytes = 2 << 20
        let request = Self.get("X: \(String(repeating: "x", count: 1 << 20))")
        let start = ContinuousClock.now
        let trace = ParseTrace(
            request, cuts: Array(1..<request.utf8.count), limits: limits)
        XCTAssertEqual(trace.lines.last, "end")
        XCTAssertLessThan(ContinuousClock.now - start, .seconds(20))
    }
}
