import Foundation
import XCTest

@testable import HTTP

final class HTTPResponseEncoderTests: XCTestCase {
    private func head(_ response: HTTPResponse, _ framing: HTTPBodyEncoding = .none) -> String {
        var bytes: [UInt8] = []
        HTTPResponseEncoder.appendHead(
            of: response, framing: framing, persistence: .implied, date: "D", to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    func testHead() {
        let response = HTTPResponse(status: 404, headers: [("x-a", "b"), ("x-a", "c")])
        XCTAssertEqual(
            head(response, .sized(0)),
            "HTTP/1.1 404 Not Found\r\ndate: D\r\nx-a: b\r\nx-a: c\r\ncontent-length: 0\r\n\r\n")
        XCTAssertEqual(
            head(HTTPResponse(status: 299), .sized(18_446_744_073_709_551_615)),
            "HTTP/1.1 299 \r\ndate: D\r\ncontent-length: 18446744073709551615\r\n\r\n")
    }

    func testLineEndsInValuesCannotBeginAField() {
        let response = HTTPResponse(status: 200, headers: [("x", "a\r\nset-cookie: b\r\n\r\n\0c")])
        XCTAssertEqual(
            head(response), "HTTP/1.1 200 OK\r\ndate: D\r\nx: a  set-cookie: b     c\r\n\r\n")
    }

    func testFieldsOfTheConnectionAreItsOwn() {
        let response = HTTPResponse(
            status: 200,
            headers: [
                ("Content-Length", "9"), ("transfer-encoding", "x"), ("Connection", "x"),
                ("DATE", "x"), ("etag", "1"),
            ])
        XCTAssertEqual(head(response), "HTTP/1.1 200 OK\r\ndate: D\r\netag: 1\r\n\r\n")
    }

    func testChunkFraming() {
        let bytes =
            HTTPResponseEncoder.chunkPrefix(count: 255, isFirst: true)
            + HTTPResponseEncoder.chunkPrefix(count: 1, isFirst: false)
            + HTTPResponseEncoder.finalChunk(isFirst: false)
        XCTAssertEqual(String(decoding: bytes, as: UTF8.self), "ff\r\n\r\n1\r\n\r\n0\r\n\r\n")
        XCTAssertEqual(HTTPResponseEncoder.finalChunk(isFirst: true), Array("0\r\n\r\n".utf8))
        for count in [1, 15, 16, 17, 4095, 4096, 0x12345, 1 << 28, .max] {
            XCTAssertEqual(
                HTTPResponseEncoder.chunkPrefix(count: count, isFirst: true),
                Array("\(String(count, radix: 16))\r\n".utf8))
        }
    }

    func testFailureBodyIsJSONWhateverTheText() throws {
        let text = "a \"quoted\" \\ text\nwith \u{1} and ü"
        let response = HTTPResponse.failure(status: 400, code: "bad_thing", text: text)
        guard case .bytes(let bytes) = response.body else { return XCTFail("no body") }
        let object = try JSONDecoder().decode([String: String].self, from: Data(bytes))
        XCTAssertEqual(object, ["error": text, "code": "bad_thing"])
        XCTAssertEqual(response.headers.first?.value, "application/json")
    }

    func testErrorCodesAreDistinct() {
        let codes = HTTPParseError.allCases.map(\.code)
        XCTAssertEqual(Set(codes).count, codes.count)
        for error in HTTPParseError.allCases {
            XCTAssertTrue((400...505).contains(error.status))
            XCTAssertFalse(error.text.isEmpty)
        }
    }

    func testDatesAgreeWithFoundation() {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        XCTAssertEqual(
            HTTPDate.text(secondsSince1970: 784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT")
        // Every 17 days and some hours to the year 2500, so that all months and leap days come.
        for seconds in stride(from: 0, through: 16_725_225_600, by: 1_512_345) {
            let date = Date(timeIntervalSince1970: TimeInterval(seconds))
            XCTAssertEqual(
                HTTPDate.text(secondsSince1970: seconds), formatter.string(from: date))
        }
    }
}
