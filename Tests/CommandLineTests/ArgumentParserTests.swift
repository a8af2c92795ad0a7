import XCTest

@testable import CommandLineOptions
@testable import tidemark

final class ArgumentParserTests: XCTestCase {
    private let parser = ArgumentParser(options: [
        .init(name: "data", shortName: nil, takesValue: true),
        .init(name: "quiet", shortName: "q", takesValue: false),
    ])

    func testWhatIsUnderstood() throws {
        let rows: [([String], [String: [String]], [String], Bool)] = [
            ([], [:], [], false),
            (["--data", "x"], ["data": ["x"]], [], false),
            (["--data=x"], ["data": ["x"]], [], false),
            (["--data="], ["data": [""]], [], false),
            (["--data=a=b"], ["data": ["a=b"]], [], false),
            (["--data", "-"], ["data": ["-"]], [], false),
            (["--data=--x"], ["data": ["--x"]], [], false),
            (["--data", "a", "--data", "b"], ["data": ["a", "b"]], [], false),
            (["--quiet", "x"], ["quiet": ["true"]], ["x"], false),
            (["-q", "x"], ["quiet": ["true"]], ["x"], false),
            (["--quiet=false"], ["quiet": ["false"]], [], false),
            (["x", "-q", "y"], ["quiet": ["true"]], ["x", "y"], false),
            (["--", "--data", "-q"], [:], ["--data", "-q"], false),
            (["-"], [:], ["-"], false),
            (["--help"], [:], [], true), (["x", "-h", "--wrong"], [:], ["x"], true),
            (["--", "--help"], [:], ["--help"], false),
        ]
        for (arguments, texts, operands, wantsHelp) in rows {
            let result = try parser.parse(arguments)
            XCTAssertEqual(
                result, .init(texts: texts, operands: operands, wantsHelp: wantsHelp),
                "\(arguments)")
        }
    }

    func testWhatIsRefused() {
        let rows: [([String], String, String?)] = [
            (["--date"], "unknown option --date", "Did you mean --data?"),
            (["--date=5"], "unknown option --date", "Did you mean --data?"),
            (["--something"], "unknown option --something", nil),
            (["-x"], "unknown option -x", nil), (["-qq"], "unknown option -qq", nil),
            (["--=x"], "unknown option --", nil),
            (["--data"], "option --data needs a value", nil),
            (["--data", "--quiet"], "option --data needs a value", nil),
        ]
        for (arguments, message, hint) in rows {
            XCTAssertThrowsError(try parser.parse(arguments), "\(arguments)") { error in
                XCTAssertEqual(
                    error as? CommandFailure, CommandFailure(.usage, message, hint: hint))
            }
        }
    }

    func testLongWordsGetNoSuggestion() {
        let word = String(repeating: "x", count: 1_000_000)
        XCTAssertNil(Suggestion.nearest(to: word, in: ["serve"]))
    }
}
