import XCTest

@testable import WireProtocol

final class JSONDocumentTests: XCTestCase {
    private func parse(_ text: String) throws -> JSONElement {
        try JSONDocument(parsing: Array(text.utf8)).root
    }

    func testReadsEveryKind() throws {
        let root = try parse(
            #"{"n":null,"t":true,"f":false,"i":-5,"u":18446744073709551615,"d":1.5,"s":"a","a":[1,2],"o":{}}"#)
        XCTAssertEqual(root.kind, .object)
        XCTAssertEqual(root["n"]?.isNull, true)
        XCTAssertEqual(root["t"]?.bool, true)
        XCTAssertEqual(root["f"]?.bool, false)
        XCTAssertEqual(root["i"]?.int64, -5)
        XCTAssertEqual(root["i"]?.double, -5)
        XCTAssertEqual(root["u"]?.kind, .number)
        XCTAssertNil(root["u"]?.int64)
        XCTAssertEqual(root["u"]?.double, 18446744073709551616)
        XCTAssertEqual(root["d"]?.double, 1.5)
        XCTAssertNil(root["d"]?.int64)
        XCTAssertEqual(root["s"]?.string, "a")
        XCTAssertEqual(root["a"]?.array?.map(\.int64), [1, 2])
        XCTAssertEqual(root["o"]?.kind, .object)
        XCTAssertNil(root["missing"])
    }

    func testKindsAreNotConverted() throws {
        for text in [#""1""#, "1", "1.5", "true", "null", "[]", "{}"] {
            let root = try parse(text)
            XCTAssertEqual(root.bool != nil, root.kind == .bool, text)
            XCTAssertEqual(root.string != nil, root.kind == .string, text)
            XCTAssertEqual(root.double != nil, root.kind == .number, text)
            XCTAssertEqual(root.array != nil, root.kind == .array, text)
            XCTAssertNil(root["a"], text)
            XCTAssertFalse(root.equals("1") && root.kind != .string, text)
        }
    }

    func testStringsKeepEveryCharacter() throws {
        XCTAssertEqual(try parse(#""a\u0000b""#).string, "a\0b")
        XCTAssertEqual(try parse(#""\"\\\/\b\f\n\r\t\u00e9""#).string, "\"\\/\u{8}\u{C}\n\r\té")
        XCTAssertEqual(try parse(#""\ud83d\udca5""#).string, "💥")
        XCTAssertEqual(try parse(#""""#).string, "")
        XCTAssertTrue(try parse(#""ok""#).equals("ok"))
        XCTAssertFalse(try parse(#""ok\u0000""#).equals("ok"))
        XCTAssertFalse(try parse(#""o""#).equals("ok"))
    }

    func testTheFirstOfTwoEqualKeysCounts() throws {
        XCTAssertEqual(try parse(#"{"a":1,"a":2}"#)["a"]?.int64, 1)
        XCTAssertEqual(try parse(#"{"\u0061":1}"#)["a"]?.int64, 1)
    }

    func testElementsKeepTheirDocumentAlive() throws {
        var element: JSONElement? = try parse(#"{"a":["still here"]}"#)["a"]
        var array = element?.array
        element = nil
        XCTAssertEqual(array?.next()?.string, "still here")
    }

    func testDepthIsLimited() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        XCTAssertNoThrow(try parse(nested(JSONDocument.defaultMaximumDepth)))
        for depth in [JSONDocument.defaultMaximumDepth + 1, 1000, 1_000_000] {
            XCTAssertThrowsError(try parse(nested(depth))) { error in
                XCTAssertEqual(
                    error as? JSONError, .tooDeep(limit: JSONDocument.defaultMaximumDepth))
            }
        }
        XCTAssertThrowsError(try parse(String(repeating: #"{"a":"#, count: 100_000)))
    }

    func testRefusesWhatIsNotJSON() {
        let rows: [(name: String, bytes: [UInt8])] = [
            ("nothing", []), ("spaces", Array("  ".utf8)), ("a word", Array("nul".utf8)),
            ("two values", Array("1 2".utf8)), ("trailing comma", Array("[1,]".utf8)),
            ("open array", Array("[1".utf8)), ("open object", Array(#"{"a":1"#.utf8)),
            ("open string", Array(#""abc"#.utf8)), ("single quotes", Array("'a'".utf8)),
            ("bare key", Array("{a:1}".utf8)), ("comment", Array("1 // one".utf8)),
            ("control character", [0x22, 0x0A, 0x22]), ("NUL", [0x22, 0, 0x22]),
            ("bad escape", Array(#""\x""#.utf8)), ("short escape", Array(#""\u12""#.utf8)),
            ("lone high surrogate", Array(#""\ud83d""#.utf8)),
            ("broken UTF-8", [0x22, 0xFF, 0x22]),
            ("overlong UTF-8", [0x22, 0xC0, 0x80, 0x22]),
            ("surrogate in UTF-8", [0x22, 0xED, 0xA0, 0x80, 0x22]),
            ("leading zero", Array("01".utf8)), ("plus", Array("+1".utf8)),
            ("bare point", Array(".5".utf8)), ("hexadecimal", Array("0x10".utf8)),
            ("NaN", Array("NaN".utf8)), ("infinity", Array("1e400".utf8)),
            ("integer beyond 64 bits", Array("18446744073709551616".utf8)),
            ("UTF-16", [0xFF, 0xFE, 0x31, 0x00]),
        ]
        for row in rows {
            XCTAssertThrowsError(try JSONDocument(parsing: row.bytes), row.name) { error in
                guard case .malformed = error as? JSONError else {
                    return XCTFail("\(row.name): \(error)")
                }
            }
        }
    }

    func testALoneLowSurrogateIsNeverBrokenText() {
        // The library's versions differ on this; what comes out is refused or whole UTF-8.
        guard let text = try? parse(#""\udca5""#).string else { return }
        XCTAssertNotNil(String(validating: text.utf8, as: UTF8.self))
    }

    func testEveryCutIsRefused() {
        let text = Array(#"{"a":[1,-2.5e3,"é\u00e9",{"b":null}],"c":true}"#.utf8)
        XCTAssertNoThrow(try JSONDocument(parsing: text))
        for count in 0..<text.count {
            XCTAssertThrowsError(try JSONDocument(parsing: Array(text[..<count])))
        }
    }
}
