import XCTest

@testable import LoadTest

/// How latencies of an open loop are counted.
final class OpenLoopTests: XCTestCase {
    /// All operations are due at once, and one client does them one after the other: each of them
    /// has waited for all before it. Counted from their sending, all would be short.
    func testLatenciesCountFromWhenOperationsWereDue() throws {
        let (call, result) = try BenchCall.measure([
            "http", "--path", "/health", "--rate", "1000000", "--clients", "1", "--count", "200",
            "--warm-up", "0",
        ])
        XCTAssertEqual(call.exitCode, 0, call.errors)
        let run = result.runs[0]
        XCTAssertEqual(run.operations, 200)
        let elapsed = run.elapsedSeconds * 1e6
        XCTAssertGreaterThan(run.latency.maximum, elapsed * 0.9)
        XCTAssertGreaterThan(run.latency.mean, elapsed * 0.2)
        XCTAssertLessThan(run.latency.minimum, elapsed * 0.5)
    }

    func testAClosedLoopCountsFromTheSending() throws {
        let (_, result) = try BenchCall.measure([
            "http", "--path", "/health", "--clients", "1", "--count", "200", "--warm-up", "0",
        ])
        let run = result.runs[0]
        // One after the other, and nearly nothing in between.
        XCTAssertLessThanOrEqual(run.latency.mean * 200, run.elapsedSeconds * 1e6)
        XCTAssertNil(run.generatorLateness)
    }
}
