import Primitives
import XCTest

@testable import SQLite

final class GenerateSeriesTests: XCTestCase {
    private func values(_ sql: String) throws -> [String] {
        let connection = try Connection(path: ":memory:", mode: .create)
        try connection.registerGenerateSeries()
        try connection.execute(
            "CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 2), (5, 6);"
                + "CREATE VIEW v AS SELECT value FROM generate_series(1, 3)")
        let statement = try connection.prepare(sql)
        var result: [String] = []
        while try statement.step() {
            result.append(
                (0..<statement.columnCount).map { statement.text(at: $0) }.joined(separator: "|"))
        }
        return result
    }

    func testRows() throws {
        let rows: [(sql: String, expected: String)] = [
            ("SELECT value FROM generate_series(1, 5)", "1 2 3 4 5"),
            ("SELECT * FROM generate_series(1, 10, 3)", "1 4 7 10"),
            ("SELECT * FROM generate_series(0, 9, 5)", "0 5"),
            ("SELECT * FROM generate_series(5, 1, -2)", "5 3 1"),
            ("SELECT * FROM generate_series(5, 2, -2)", "5 3"),
            ("SELECT * FROM generate_series(1, 5, -1)", ""),
            ("SELECT * FROM generate_series(5, 1)", ""),
            ("SELECT * FROM generate_series(3, 3)", "3"),
            ("SELECT * FROM generate_series(3, 3, -7)", "3"),
            ("SELECT * FROM generate_series(1, 3, 0)", "1 2 3"),
            ("SELECT * FROM generate_series(NULL, 3)", ""),
            ("SELECT * FROM generate_series(1, NULL)", ""),
            ("SELECT * FROM generate_series(1, 3, NULL)", ""),
            ("SELECT * FROM generate_series(1, 7, 2) ORDER BY value DESC", "7 5 3 1"),
            ("SELECT * FROM generate_series(1, 8, 2) ORDER BY value DESC", "7 5 3 1"),
            ("SELECT * FROM generate_series(8, 1, -2) ORDER BY value", "2 4 6 8"),
            ("SELECT * FROM generate_series(8, 1, -2) ORDER BY value DESC", "8 6 4 2"),
            ("SELECT * FROM generate_series(1, 5) LIMIT 2 OFFSET 1", "2 3"),
            ("SELECT * FROM generate_series(1, 10) WHERE value % 4 = 0", "4 8"),
            ("SELECT rowid FROM generate_series(5, 9, 2)", "5 7 9"),
            ("SELECT value, start, stop, step FROM generate_series(2, 5, 2)", "2|2|5|2 4|2|5|2"),
            ("SELECT value FROM generate_series WHERE start = 1 AND stop = 2", "1 2"),
            ("SELECT count(*), max(value) FROM generate_series(4294967290)", "6|4294967295"),
            ("SELECT count(*) FROM generate_series WHERE start = 4294967290", "6"),
            ("SELECT a, value FROM t, generate_series(t.a, t.b)", "1|1 1|2 5|5 5|6"),
            ("SELECT a, value FROM generate_series(t.a, t.b), t", "1|1 1|2 5|5 5|6"),
            ("SELECT value FROM v", "1 2 3"),
            ("SELECT (SELECT sum(value) FROM generate_series(1, a)) FROM t", "1 15"),
            (
                "SELECT * FROM generate_series(9223372036854775805, 9223372036854775807)",
                "9223372036854775805 9223372036854775806 9223372036854775807"
            ),
            (
                "SELECT * FROM generate_series(9223372036854775807, -9223372036854775807 - 1,"
                    + " -9223372036854775807)",
                "9223372036854775807 0 -9223372036854775807"
            ),
            (
                "SELECT * FROM generate_series(-9223372036854775807 - 1, 9223372036854775807,"
                    + " 9223372036854775807) ORDER BY value DESC",
                "9223372036854775806 -1 -9223372036854775808"
            ),
            (
                "SELECT * FROM generate_series(0, -9223372036854775807 - 1,"
                    + " -9223372036854775807 - 1)",
                "0 -9223372036854775808"
            ),
        ]
        for row in rows {
            XCTAssertEqual(try values(row.sql).joined(separator: " "), row.expected, row.sql)
        }
    }

    func testStartIsRequired() {
        for sql in [
            "SELECT * FROM generate_series", "SELECT * FROM generate_series()",
            "SELECT * FROM generate_series WHERE stop = 4",
            "SELECT * FROM generate_series WHERE start > 4",
        ] {
            XCTAssertThrowsError(try values(sql), sql) { error in
                XCTAssertEqual(
                    (error as? SQLiteError)?.message,
                    "first argument to \"generate_series()\" missing or unusable", sql)
            }
        }
        // No order of the join makes the argument known.
        XCTAssertThrowsError(
            try values(
                "SELECT * FROM t JOIN generate_series(x.value) y"
                    + " JOIN generate_series(y.value) x"))
    }

    func testRandomSeriesMatchAWiderModel() throws {
        var generator = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: 0...UInt64.max, using: &generator)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let edges: [Int64] = [.min, .min + 1, -7, -1, 0, 1, 7, .max - 1, .max]
        func pick() -> Int64 {
            let edge = edges[Int.random(in: 0..<edges.count, using: &random)]
            return edge &+ Int64.random(in: -3...3, using: &random)
        }
        for _ in 0..<5_000 {
            let range = SeriesRange(start: pick(), stop: pick(), step: pick())
            let distance = Int128(range.stop) - Int128(range.start)
            let step = Int128(range.step)
            let isEmpty = step > 0 ? distance < 0 : distance > 0
            XCTAssertEqual(range.stepCount.map { Int128($0) }, isEmpty ? nil : distance / step)
            XCTAssertEqual(
                range.last.map { Int128($0) },
                isEmpty ? nil : Int128(range.start) + distance / step * step)
        }
    }
}

/// A small generator with a seed, so that a failing run can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
