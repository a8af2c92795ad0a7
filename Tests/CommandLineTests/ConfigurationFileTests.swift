import XCTest

@testable import CommandLineOptions
@testable import tidemark

final class ConfigurationFileTests: XCTestCase {
    private func parse(_ text: String) throws -> ConfigurationFile {
        try ConfigurationFile.parse(Array(text.utf8), path: "t.yaml")
    }

    func testWhatIsUnderstood() throws {
        typealias Entry = ConfigurationFile.Entry
        let rows: [(String, [Entry])] = [
            ("", []), ("# only a comment\n", []), ("---\n...\n", []), ("~", []), ("{}", []),
            ("\u{FEFF}data: x", [Entry(key: "data", texts: ["x"], line: 1)]),
            (
                "# c\ndata: /var/lib # here\nworkers: 5\n",
                [
                    Entry(key: "data", texts: ["/var/lib"], line: 2),
                    Entry(key: "workers", texts: ["5"], line: 3),
                ]
            ),
            ("listen: \"[::1]:80\"", [Entry(key: "listen", texts: ["[::1]:80"], line: 1)]),
            ("data: ''", [Entry(key: "data", texts: [""], line: 1)]),
            ("data: 'null'", [Entry(key: "data", texts: ["null"], line: 1)]),
            (
                "base-domain:\n  - a\n  - b",
                [Entry(key: "base-domain", texts: ["a", "b"], line: 1)]
            ),
            (
                "{data: x, workers: 1}\r\n",
                [
                    Entry(key: "data", texts: ["x"], line: 1),
                    Entry(key: "workers", texts: ["1"], line: 1),
                ]
            ),
        ]
        for (text, entries) in rows {
            XCTAssertEqual(try parse(text).entries, entries, text)
        }
    }

    func testEachMistakeIsNamedWithItsLine() {
        let rows: [(String, String)] = [
            ("data: x\ndata: y", "t.yaml:2: 'data' was already set on line 1"),
            ("data:\n", "t.yaml:1: 'data' has no value"),
            ("data: []", "t.yaml:1: 'data' has no value"),
            ("base-domain:\n- a\n-\n", "t.yaml:3: 'base-domain' has no value"),
            ("x: 1\ndata:\n  deep: 1", "t.yaml:3: 'data' must be a value or a list of values"),
            ("x:\n- [1]", "t.yaml:2: 'x' must be a value or a list of values"),
            ("[a, b]", "t.yaml:1: 'key: value' lines are expected"),
            ("just words", "t.yaml:1: 'key: value' lines are expected"),
            ("? [a]\n: b", "t.yaml:1: a key must be a plain word"),
            ("a: &x 1\nb: *x", "t.yaml:1: anchors are not supported"),
            ("a: 1\nb: *x", "t.yaml:2: aliases are not supported"),
            ("a: 1\n---\nb: 2", "t.yaml:2: only one YAML document is allowed"),
            ("a: 1\n b: 2", "t.yaml:2: mapping values are not allowed in this context"),
        ]
        for (text, message) in rows {
            XCTAssertThrowsError(try parse(text), text) { error in
                XCTAssertEqual(
                    error as? CommandFailure, CommandFailure(.configuration, message), text)
            }
        }
    }

    func testBytesThatAreNoTextAreRefused() {
        for bytes: [UInt8] in [[0xFF], Array("a: ".utf8) + [0xC3], [0], Array("a: \u{1}".utf8)] {
            XCTAssertThrowsError(try ConfigurationFile.parse(bytes, path: "t.yaml"))
        }
    }

    func testUnknownKeysAreErrors() {
        let rows = [
            ("workers: 1\nlisten-on: x", "t.yaml:2: unknown key 'listen-on'", nil),
            ("lisen: x", "t.yaml:1: unknown key 'lisen'", "Did you mean 'listen'?"),
            ("--listen: x", "t.yaml:1: unknown key '--listen'", "Did you mean 'listen'?"),
            ("config: x", "t.yaml:1: unknown key 'config'", nil),
            ("workers: [1, 2]", "t.yaml:1: 'workers' takes one value, not a list", nil),
        ]
        for (text, message, hint) in rows {
            XCTAssertThrowsError(
                try ServeOptions.table.resolve(
                    .init(texts: ["config": ["t.yaml"]]), environment: [:]
                ) { (path) throws(CommandFailure) in
                    try ConfigurationFile.parse(Array(text.utf8), path: path)
                }
            ) { error in
                XCTAssertEqual(
                    error as? CommandFailure, CommandFailure(.configuration, message, hint: hint))
            }
        }
    }

    func testAFileThatCannotBeReadIsAConfigurationError() {
        for path in ["/nonexistent/t.yaml", "/"] {
            XCTAssertThrowsError(try ConfigurationFile.read(path)) { error in
                let failure = error as? CommandFailure
                XCTAssertEqual(failure?.exitCode, .configuration)
                XCTAssertTrue(failure?.message.hasPrefix(path) == true)
            }
        }
    }

    /// Whatever the bytes, parsing ends with entries or an error.
    func testMutatedFilesNeverTrap() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var generator = SplitMix64(state: seed)
        let original = Array("# c\ndata: [a, 'b']\nlisten: \"x\"\nbase-domain:\n  - a\n".utf8)
        let alphabet = Array("-:[]{}#&*!|>'\"%@`,?~ \n\tax0\\".utf8) + [0, 0xC3, 0xFF, 0xEF]
        for _ in 0..<5000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[index] = alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            bytes.removeLast(Int.random(in: 0..<8, using: &generator))
            _ = try? ConfigurationFile.parse(bytes, path: "t.yaml")
        }
    }
}

/// A seeded generator, so that a failing run can be repeated.
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
