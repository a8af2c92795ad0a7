import Primitives
import XCTest

final class DatabaseNameTests: XCTestCase {
    func testNamesAreSafeAsNamesOfFolders() {
        let good = [
            "a", "Z", "0", "_", "-", "default", "a-b_C9", String(repeating: "x", count: 128),
        ]
        for text in good { XCTAssertEqual(DatabaseName(text)?.text, text) }
        let bad = [
            "", ".", "..", "a.b", "a/b", "/", "\\", "a b", " a", "a\n", "a\u{0}", "ä", "\u{FF41}",
            "e\u{301}", "~", "%41", "a:b", String(repeating: "x", count: 129),
        ]
        for text in bad { XCTAssertNil(DatabaseName(text), text) }
        XCTAssertEqual(DatabaseName("default"), .default)
        XCTAssertEqual(DatabaseName("xaby".dropFirst().dropLast())?.text, "ab")
        XCTAssertLessThan(DatabaseName("a")!, DatabaseName("b")!)
    }
}
