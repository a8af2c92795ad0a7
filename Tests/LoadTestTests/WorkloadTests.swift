import XCTest

@testable import LoadTest

/// Each workload, against a real server.
final class WorkloadTests: XCTestCase {
    private struct Row {
        let arguments: [String]
        let kinds: [String]
        /// Part of what was verified; nil if there is nothing to verify.
        var verified: String?
    }

    private func run(_ row: Row, line: UInt = #line) throws -> RunSummary {
        let (call, result) = try BenchCall.measure(
            row.arguments + ["--warm-up", "0", "--verify"]
                + (row.kinds == ["get"] ? [] : ["--rows", "60"]))
        XCTAssertEqual(call.exitCode, 0, call.errors, line: line)
        XCTAssertEqual(result.workload, row.arguments[0], line: line)
        let run = try XCTUnwrap(result.runs.first, line: line)
        XCTAssertEqual(run.kinds.map(\.name), row.kinds, line: line)
        XCTAssertEqual(run.failures, 0, "\(run.failureTexts)", line: line)
        XCTAssertGreaterThan(run.latency.minimum, -1, line: line)
        XCTAssertGreaterThan(run.elapsedSeconds, 0, line: line)
        XCTAssertGreaterThan(run.server?.cpuSeconds ?? 0, 0, line: line)
        XCTAssertGreaterThan(run.server?.peakSize ?? 0, 1_000_000, line: line)
        XCTAssertGreaterThan(run.clientCPUSeconds, 0, line: line)
        if let verified = row.verified {
            XCTAssertTrue(
                result.verified.contains { $0.contains(verified) }, "\(result.verified)",
                line: line)
        }
        return run
    }

    func testBootstrap() throws {
        let run = try run(
            Row(
                arguments: ["bootstrap", "--pages", "40", "--count", "12", "--clients", "3"],
                kinds: ["bootstrap"], verified: "a further pull of everything"))
        XCTAssertEqual(run.operations, 12)
        XCTAssertGreaterThan(run.bytes, 12 * 38 * 4096)
        XCTAssertLessThan(run.bytes, 12 * 44 * 4096)
    }

    func testNoChange() throws {
        let run = try run(
            Row(arguments: ["no-change", "--count", "30"], kinds: ["no-change"], verified: "30"))
        XCTAssertEqual(run.operations, 30)
        XCTAssertLessThan(run.bytes, 30 * 200)
    }

    func testIncremental() throws {
        let run = try run(
            Row(
                arguments: [
                    "incremental", "--count", "20", "--behind", "4", "--row-size", "3000",
                ], kinds: ["incremental"], verified: "20"))
        XCTAssertGreaterThan(run.bytes, 20 * 4 * 4096)
        XCTAssertLessThan(run.bytes, 20 * 12 * 4096)
    }

    func testPushOverSeveralDatabases() throws {
        let run = try run(
            Row(
                arguments: [
                    "push", "--count", "30", "--clients", "6", "--databases", "3", "--batch", "5",
                    "--look-up",
                ], kinds: ["push"], verified: "all 150 acknowledged rows are there"))
        XCTAssertEqual(run.operations, 30)
    }

    func testOpenLoop() throws {
        let run = try run(
            Row(
                arguments: [
                    "push", "--rate", "200", "--duration", "300ms", "--clients", "8", "--threads",
                    "2",
                ], kinds: ["push"], verified: "all 60 acknowledged rows are there"))
        XCTAssertEqual(run.operations, 60)
        XCTAssertNotNil(run.generatorLateness)
    }

    func testMixed() throws {
        let run = try run(
            Row(
                arguments: [
                    "mixed", "--count", "80", "--clients", "4", "--mix",
                    "push=3,pull=3,bootstrap=1,sql=3",
                ], kinds: ["push", "pull", "bootstrap", "sql"], verified: "converged"))
        XCTAssertEqual(run.operations, 80)
        XCTAssertTrue(run.kinds.allSatisfy { $0.operations > 0 })
    }

    func testPartial() throws {
        let run = try run(
            Row(
                arguments: [
                    "partial", "--pages", "100", "--count", "40", "--clients", "1",
                    "--prefix-pages", "8", "--segment-pages", "16", "--lazy-reads", "4",
                ], kinds: ["bootstrap", "lazy-read"], verified: "40 answers"))
        XCTAssertEqual(run.kinds.map(\.operations), [8, 32])
    }

    func testLongPoll() throws {
        let run = try run(
            Row(
                arguments: ["long-poll", "--count", "3", "--clients", "20", "--databases", "2"],
                kinds: ["wake-up", "commit"], verified: "all 3 acknowledged rows"))
        XCTAssertEqual(run.kinds.map(\.operations), [30, 3])
    }

    func testFramePush() throws {
        let run = try run(
            Row(
                arguments: [
                    "frames", "--count", "10", "--clients", "2", "--databases", "2", "--batch",
                    "3", "--runs", "2",
                ], kinds: ["frame-push"], verified: "all 30 acknowledged rows are there"))
        XCTAssertEqual(run.operations, 10)
    }

    /// More frames than one request holds.
    func testFramePushInSeveralRequests() throws {
        _ = try run(
            Row(
                arguments: [
                    "frames", "--count", "2", "--clients", "1", "--batch", "600", "--row-size",
                    "1200",
                ], kinds: ["frame-push"], verified: "all 1200 acknowledged rows are there"))
    }

    func testFramePull() throws {
        let run = try run(
            Row(
                arguments: [
                    "frames", "--direction", "pull", "--behind", "3", "--count", "10",
                ], kinds: ["frame-pull"]))
        XCTAssertEqual(run.bytes % (10 * 4120), 0)
        XCTAssertGreaterThanOrEqual(run.bytes, 3 * 10 * 4120)
    }

    func testSQL() throws {
        _ = try run(Row(arguments: ["sql", "--count", "30"], kinds: ["sql"]))
    }

    func testConnect() throws {
        let run = try run(Row(arguments: ["connect", "--count", "30"], kinds: ["get"]))
        XCTAssertEqual(run.operations, 30)
    }

    func testHTTP() throws {
        _ = try run(Row(arguments: ["http", "--path", "/health", "--count", "30"], kinds: ["get"]))
    }

    /// An operation that fails is an exit code, and its reason is told.
    func testFailuresAreToldAndCounted() throws {
        let (call, result) = try BenchCall.measure([
            "sql", "--statement", "SELECT * FROM nowhere", "--rows", "1", "--duration", "200ms",
            "--warm-up", "0", "--clients", "2",
        ])
        XCTAssertEqual(call.exitCode, 69)
        XCTAssertEqual(result.runs[0].operations, 0)
        XCTAssertGreaterThan(result.runs[0].failures, 1)
        XCTAssertTrue(call.output.contains("answered with an error"), call.output)
    }
}
