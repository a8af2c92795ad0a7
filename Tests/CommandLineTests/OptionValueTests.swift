import Logging
import XCTest

@testable import CommandLineOptions
@testable import tidemark

final class OptionValueTests: XCTestCase {
    /// Accepted texts with what they mean; the value's own text is read back to the same value.
    private func check<Value: OptionValue>(
        _ type: Value.Type, _ rows: [(String, Value?)], line: UInt = #line
    ) {
        for (text, expected) in rows {
            guard let expected else {
                XCTAssertThrowsError(try Value(optionText: text), text, line: line)
                continue
            }
            XCTAssertEqual(try? Value(optionText: text), expected, text, line: line)
            XCTAssertEqual(
                try? Value(optionText: expected.optionText), expected, text, line: line)
        }
    }

    func testDurations() {
        check(
            Duration.self,
            [
                ("500ms", .milliseconds(500)), ("0s", .zero), ("0", .zero), ("60s", .seconds(60)),
                ("5m", .seconds(300)), ("1h", .seconds(3600)), ("2d", .seconds(172_800)),
                ("90s", .seconds(90)), ("", nil), ("s", nil), ("60", nil), ("-1s", nil),
                ("+1s", nil),
                ("1.5s", nil), ("1 s", nil), ("1S", nil), ("1w", nil), ("1ms1", nil), ("١s", nil),
                ("99999999999999999999s", nil), ("9223372036854775807d", nil),
            ])
        XCTAssertEqual(Duration.seconds(60).optionText, "60s")
        XCTAssertEqual(Duration.seconds(7200).optionText, "2h")
        XCTAssertEqual(Duration.milliseconds(1500).optionText, "1500ms")
    }

    func testByteSizes() {
        check(
            ByteSize.self,
            [
                ("0", .bytes(0)), ("4096", .bytes(4096)), ("1B", .bytes(1)),
                ("64KiB", .bytes(65_536)),
                ("64kib", .bytes(65_536)), ("10MB", .bytes(10_000_000)),
                ("256MiB", .mebibytes(256)),
                ("1GiB", .gibibytes(1)), ("2TB", .bytes(2_000_000_000_000)), ("", nil),
                ("MiB", nil),
                ("1K", nil), ("1M", nil), ("1.5GiB", nil), ("-1", nil), ("+1", nil), ("1 KiB", nil),
                ("99999999999999999999", nil), ("9223372036854775807KiB", nil),
            ])
        XCTAssertEqual(ByteSize.mebibytes(256).optionText, "256MiB")
        XCTAssertEqual(ByteSize.bytes(1000).optionText, "1000")
    }

    func testListenAddresses() {
        check(
            ListenAddress.self,
            [
                ("127.0.0.1:8080", ListenAddress(host: "127.0.0.1", port: 8080)),
                ("0.0.0.0:0", ListenAddress(host: "0.0.0.0", port: 0)),
                ("[::1]:8080", ListenAddress(host: "::1", port: 8080)),
                ("LocalHost:65535", ListenAddress(host: "localhost", port: 65_535)),
                ("a-b.example:1", ListenAddress(host: "a-b.example", port: 1)),
                ("", nil), (":8080", nil), ("8080", nil), ("localhost", nil), ("localhost:", nil),
                ("localhost:65536", nil), ("localhost:-1", nil), ("localhost:+1", nil),
                ("localhost:8o", nil), ("::1:8080", nil), ("[::1]", nil), ("[::1]8080", nil),
                ("[localhost]:1", nil), ("[]:1", nil), ("127.1:80", nil), ("256.0.0.1:80", nil),
                ("010.0.0.1:80", nil), ("a b:80", nil), ("a..b:80", nil), ("127.0.0.1:٨", nil),
                ("http://localhost:80", nil),
            ])
    }

    func testOtherValues() {
        check(Int.self, [("5", 5), ("-5", -5), ("", nil), ("+5", nil), ("5 ", nil), ("0x5", nil)])
        check(
            Bool.self,
            [
                ("true", true), ("1", true), ("off", false), ("no", false), ("", nil),
                ("TRUE", nil),
            ])
        check(
            LogLevel.self,
            [("debug", LogLevel.debug), ("error", .error), ("Info", nil), ("trace", nil)])
        check(
            DomainName.self,
            [
                ("example.com", DomainName(text: "example.com")),
                ("EXAMPLE.com", DomainName(text: "example.com")), ("", nil), (".", nil),
                ("a.", nil),
                ("a/b", nil), (String(repeating: "a", count: 64), nil),
            ])
        check(
            AdminURL.self,
            [
                ("http://127.0.0.1:8081", AdminURL(text: "http://127.0.0.1:8081")),
                ("https://host/prefix//", AdminURL(text: "https://host/prefix")),
                ("127.0.0.1:8081", nil), ("ftp://host", nil), ("http://", nil), ("http:///", nil),
                ("http://host?x", nil), ("http://host#x", nil), ("http://ho st", nil),
                ("http://host\r\nX: y", nil),
            ])
        check(String.self, [("x", "x"), ("", nil), ("a\0b", nil)])
    }
}
