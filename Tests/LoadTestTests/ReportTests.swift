import CommandLineOptions
import Foundation
import XCTest

@testable import LoadTest

final class ReportTests: XCTestCase {
    func testJSONHoldsTheFigures() throws {
        let result = BenchResult.sample()
        let json = try XCTUnwrap(
            try JSONSerialization.jsonObject(with: Data(JSONReport.bytes(result)))
                as? [String: Any])
        XCTAssertEqual(json["format"] as? String, "tidemark-bench")
        XCTAssertEqual(json["version"] as? Int, 1)
        XCTAssertEqual(json["label"] as? String, result.label)
        let runs = try XCTUnwrap(json["runs"] as? [[String: Any]])
        XCTAssertEqual(runs.count, 2)
        XCTAssertEqual(runs[0]["operations"] as? Int, 1000)
        XCTAssertEqual(runs[0]["operations_per_second"] as? Double, 1000)
        XCTAssertEqual(runs[0]["bytes"] as? Int, 10_000)
        XCTAssertEqual(runs[0]["failures"] as? Int, 1)
        let latency = try XCTUnwrap(runs[0]["latency_us"] as? [String: Any])
        XCTAssertEqual(try XCTUnwrap(latency["p50"] as? Double), 50, accuracy: 0.1)
        XCTAssertEqual(latency["max"] as? Double, 100)
        XCTAssertEqual(latency["min"] as? Double, 1)
        let server = try XCTUnwrap(runs[0]["server"] as? [String: Any])
        XCTAssertEqual(server["cpu_us_per_operation"] as? Double, 250)
        let intervals = try XCTUnwrap(runs[0]["intervals"] as? [[Double]])
        XCTAssertEqual(intervals.reduce(0) { $0 + $1[1] }, 1000)
        XCTAssertEqual(intervals.last?[0] ?? 0, 1, accuracy: 1e-9)
    }

    func testJSONIsReadBack() throws {
        let result = BenchResult.sample()
        XCTAssertEqual(try BenchResult(json: JSONReport.bytes(result)), result)
        var bare = result
        bare.runs[0].server = nil
        bare.runs[0].generatorLateness = nil
        XCTAssertEqual(try BenchResult(json: JSONReport.bytes(bare)), bare)
    }

    /// Nothing that a file may hold ends the program.
    func testOtherFilesAreRefused() {
        let whole = JSONReport.bytes(.sample())
        for size in [0, 1, 10, whole.count / 2, whole.count - 1] {
            XCTAssertThrowsError(try BenchResult(json: Array(whole[..<size]))) {
                XCTAssertEqual($0 as? BenchResult.ReadingError, .notJSON)
            }
        }
        let text = String(decoding: whole, as: UTF8.self)
        let rows: [(String, String, BenchResult.ReadingError)] = [
            (#""version":1"#, #""version":2"#, .otherFormat),
            (#""format":"tidemark-bench""#, #""format":"other""#, .otherFormat),
            (#""operations":1000"#, #""operations":"1000""#, .missing("operations")),
            (#""operations":1000"#, #""operations":1e300"#, .missing("operations")),
            (#""curve":["#, #""curve":[1,"#, .missing("curve")),
            (#""intervals":["#, #""intervals":[[1,2],"#, .missing("intervals")),
            (#""runs":["#, #""runs":[],"x":["#, .missing("runs")),
        ]
        for (part, replacement, error) in rows {
            let changed = text.replacingOccurrences(of: part, with: replacement)
            XCTAssertNotEqual(changed, text, part)
            XCTAssertThrowsError(try BenchResult(json: Array(changed.utf8)), replacement) {
                XCTAssertEqual($0 as? BenchResult.ReadingError, error, replacement)
            }
        }
    }

    func testHTMLIsWellFormedAndEscaped() throws {
        let text = HTMLReport.text(.sample())
        XCTAssertTrue(text.contains("a &lt;b&gt; &amp; &quot;c&quot;"))
        XCTAssertFalse(text.contains("<b> &"))
        XCTAssertFalse(text.contains("</script>"))
        // Self-contained: it loads nothing.
        for reference in ["src=", "href=", "url(", "@import"] {
            XCTAssertFalse(text.contains(reference), reference)
        }
        let plots = text.components(separatedBy: "<svg").dropFirst().map {
            "<svg" + $0.components(separatedBy: "</svg>")[0] + "</svg>"
        }
        XCTAssertEqual(plots.count, 2)
        for plot in plots {
            assertTagsMatch(plot)
            XCTAssertFalse(plot.contains("nan"))
            XCTAssertTrue(plot.contains("<polyline"))
        }
        assertTagsMatch(text.components(separatedBy: "<body>")[1])
    }

    /// Every element that is opened is closed, in the right order.
    private func assertTagsMatch(_ text: String, line: UInt = #line) {
        var open: [Substring] = []
        for part in text.split(separator: "<").dropFirst(text.hasPrefix("<") ? 0 : 1) {
            guard let end = part.firstIndex(of: ">") else {
                return XCTFail("a tag without end: \(part)", line: line)
            }
            let tag = part[..<end]
            if tag.hasSuffix("/") { continue }
            if tag.hasPrefix("/") {
                // What follows the part that is looked at is closed outside of it.
                guard let last = open.popLast() else { return }
                XCTAssertEqual(last, tag.dropFirst(), line: line)
            } else {
                open.append(tag.prefix { $0 != " " })
            }
        }
        XCTAssertEqual(open, [], line: line)
    }

    func testTextShowsRunsAndFailures() {
        let text = TextReport.text(.sample())
        for part in [
            "push on http://127.0.0.1:1/db/x", "run 1", "run 2", "  pull", "1,000",
            "250 us an operation", "failed in run 1: 1 x status 500", "verified: all is there",
        ] {
            XCTAssertTrue(text.contains(part), "\(part)\n\(text)")
        }
    }

    func testComparisonSaysWhenThereIsNoDifference() {
        let same = ComparisonReport.text(.sample(), .sample(), names: ("A", "B"))
        XCTAssertTrue(same.contains("No difference beyond noise."), same)
        let slower = ComparisonReport.text(.sample(), .sample(scale: 9), names: ("A", "B"))
        XCTAssertTrue(slower.contains("WORSE"), slower)
        XCTAssertTrue(slower.contains("pull p99"), slower)
        let short = ComparisonReport.text(.sample(runs: 1), .sample(), names: ("A", "B"))
        XCTAssertTrue(short.contains("The noise is unknown"), short)
        var other = BenchResult.sample()
        other.parameters[0].value = "8"
        let different = ComparisonReport.text(.sample(), other, names: ("A", "B"))
        XCTAssertTrue(different.contains("differs: clients is 4 in A, 8 in B"), different)
    }

    func testFiguresAsText() {
        XCTAssertEqual(Format.short(0), "0")
        XCTAssertEqual(Format.short(0.01234), "0.0123")
        XCTAssertEqual(Format.short(1.239), "1.24")
        XCTAssertEqual(Format.short(12_345.6), "12,346")
        XCTAssertEqual(Format.fixed(-0.04, 1), "0.0")
        XCTAssertEqual(Format.fixed(-1.05, 1), "-1.1")
        XCTAssertEqual(Format.fixed(.nan, 1), "-")
        XCTAssertEqual(Format.grouped(1_234_567), "1,234,567")
        XCTAssertEqual(Format.time(999.4), "999 us")
        XCTAssertEqual(Format.time(1500), "1.50 ms")
        XCTAssertEqual(Format.time(2_000_000), "2.00 s")
        XCTAssertEqual(Format.size(1_048_576), "1.00 MiB")
    }
}
