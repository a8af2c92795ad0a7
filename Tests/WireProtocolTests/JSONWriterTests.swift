import Foundation
import TestSupport
import XCTest

@testable import WireProtocol

final class JSONWriterTests: XCTestCase {
    private func written(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        write(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    func testCommasAreWhereTheyBelong() {
        let text = written { json in
            json.beginObject()
            json.key("a")
            json.beginArray()
            json.null()
            json.beginArray()
            json.endArray()
            json.beginObject()
            json.endObject()
            json.bool(true)
            json.endArray()
            json.key("b")
            json.integer(5)
            json.key("c")
            json.decimalString(-5)
            json.key("d")
            json.literal("x")
            json.endObject()
        }
        XCTAssertEqual(text, #"{"a":[null,[],{},true],"b":5,"c":"-5","d":"x"}"#)
    }

    func testIntegersOfEveryLength() {
        var values: [Int64] = [0, .min, .max]
        var power: Int64 = 1
        for _ in 0..<19 {
            values += [power - 1, power, power + 1, -power]
            power &*= 10
        }
        for value in values {
            XCTAssertEqual(written { $0.decimalString(value) }, "\"\(value)\"")
            XCTAssertEqual(written { $0.integer(value) }, "\(value)")
        }
    }

    func testEscapesOnlyWhatJSONMustEscape() {
        let rows: [(String, String)] = [
            ("", #""""#), ("a/b", #""a/b""#), ("\"\\", #""\"\\""#),
            ("\n\r\t\u{8}\u{0}\u{1F}\u{7F}", #""\n\r\t\u0008\u0000\u001f\#u{7F}""#),
            ("é💥</script>", #""é💥</script>""#), ("a\"b\"c", #""a\"b\"c""#),
        ]
        for (text, expected) in rows {
            XCTAssertEqual(written { $0.string(text) }, expected)
        }
    }

    func testStringsReadBack() throws {
        var generator = SeededGenerator.announced(for: name)
        for _ in 0..<500 {
            let text = String(
                String.UnicodeScalarView(
                    (0..<Int.random(in: 0...40, using: &generator)).compactMap { _ in
                        let wide = Bool.random(using: &generator)
                        return Unicode.Scalar(
                            UInt32.random(in: 0...(wide ? 0x10FFFF : 0x7F), using: &generator))
                    }))
            let bytes = Array(written { $0.string(text) }.utf8)
            let read = try JSONDocument(parsing: bytes).root.string
            XCTAssertEqual(read.map { Array($0.utf8) }, Array(text.utf8))
        }
    }

    func testBrokenTextIsRepaired() {
        let rows: [([UInt8], String)] = [
            ([0x61, 0xFF, 0x62], "\"a\u{FFFD}b\""), ([0xE2, 0x82], "\"\u{FFFD}\""),
            ([0xC3, 0xA9, 0], #""é\u0000""#), ([], #""""#),
        ]
        for (bytes, expected) in rows {
            let text = written { json in bytes.withUnsafeBytes { json.string(repairing: $0) } }
            XCTAssertEqual(text, expected)
        }
    }

    func testDoublesReadBackExactly() throws {
        var generator = SeededGenerator.announced(for: name)
        let special = [
            0, -0.0, 0.1, 1, 1e300, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -1e-7, 1e16,
            9_007_199_254_740_992, .leastNormalMagnitude,
        ]
        let random = (0..<2000).map { _ in
            Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &generator))
        }
        for value in special + random.filter(\.isFinite) {
            let text = written { $0.number(value) }
            let read = try JSONDocument(parsing: Array(text.utf8)).root.double
            XCTAssertEqual(read?.bitPattern, value.bitPattern, text)
        }
        for value in [Double.infinity, -.infinity, .nan, .signalingNaN] {
            XCTAssertEqual(written { $0.number(value) }, "null")
        }
    }

    func testRollBackForgets() {
        let text = written { json in
            json.beginArray()
            let mark = json.mark
            json.null()
            json.rollBack(to: mark)
            json.integer(1)
            let second = json.mark
            json.string("x")
            json.rollBack(to: second)
            json.integer(2)
            json.endArray()
        }
        XCTAssertEqual(text, "[1,2]")
    }
}

final class Base64Tests: XCTestCase {
    private func decode(_ text: String) -> [UInt8]? {
        Array(text.utf8).withUnsafeBytes { Base64.decode($0) }
    }

    private func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        bytes.withUnsafeBytes { Base64.encode($0, into: &output) }
        return String(decoding: output, as: UTF8.self)
    }

    func testAgreesWithFoundation() {
        var generator = SeededGenerator.announced(for: name)
        for count in 0...200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let padded = Data(bytes).base64EncodedString()
            let unpadded = padded.replacingOccurrences(of: "=", with: "")
            XCTAssertEqual(encode(bytes), unpadded)
            XCTAssertEqual(decode(padded), bytes)
            XCTAssertEqual(decode(unpadded), bytes)
        }
    }

    func testRefusesWhatIsNotBase64() {
        for text in [
            "A", "AAAAA", "=", "==", "====", "A=", "A==", "A===", "AA=", "AA===", "AAA==",
            "AAAA=", "AAAA====", "AA==AA==", "=AAA", "A A=", "AA\n", "AA-_", "AAA\0", "é===",
            "AB", "AAB", "AB==", "AAB=",
        ] {
            XCTAssertNil(decode(text), text)
        }
    }
}
