import Foundation
import Primitives
import SQLite
import WireProtocol
import XCTest

@testable import SQLStreams

final class PipelineRunnerTests: XCTestCase {
    private func assertNeedsWriter(
        _ outcome: PipelineRunner.Outcome, _ expected: Bool, _ name: String, line: UInt = #line
    ) {
        switch outcome.body {
        case .success: XCTAssertFalse(expected, name, line: line)
        case .failure(.needsWriter): XCTAssertTrue(expected, name, line: line)
        case .failure(let error): XCTFail("\(name): \(error)", line: line)
        }
        XCTAssertFalse(outcome.isConnectionDirty, name, line: line)
    }

    func testAReaderRefusesWhatMayWrite() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE)")
        let rows: [(String, Bool)] = [
            ("SELECT * FROM t", false), ("EXPLAIN INSERT INTO t VALUES (1)", false),
            ("INSERT INTO t VALUES (1)", true), ("INSERT INTO t VALUES (1) RETURNING a", true),
            ("BEGIN IMMEDIATE", true), ("CREATE TABLE u(a)", true),
            ("CREATE TABLE IF NOT EXISTS t(a)", true), ("CREATE TEMP TABLE x(a)", true),
            ("VACUUM", true), ("PRAGMA optimize", true), ("PRAGMA user_version", false),
            ("PRAGMA user_version = 4", true), ("PRAGMA foreign_keys = ON", false),
            ("PRAGMA recursive_triggers = OFF", true), ("ANALYZE", true), ("REINDEX", true),
            ("SELECT * FROM missing", false), ("ATTACH 'x' AS y", false),
        ]
        for (sql, needsWriter) in rows {
            assertNeedsWriter(
                fixture.outcome([.execute(.sql(sql))], onReader: true), needsWriter, sql)
        }
        assertNeedsWriter(
            fixture.outcome(
                [.sequence(SQLText(sql: "BEGIN; SELECT * FROM t; INSERT INTO t VALUES (1)"))],
                onReader: true), true, "sequence")
        XCTAssertTrue(fixture.reader.isAutocommit)
        XCTAssertEqual(try fixture.text("SELECT count(*) FROM t"), "0")
        XCTAssertEqual(fixture.writeCount, 0)
    }

    func testTheWriterIsPreparedOnceAndOnlyForWrites() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        _ = try fixture.execute("SELECT * FROM t")
        XCTAssertEqual(fixture.writeCount, 0)
        _ = try fixture.run([
            .execute(.sql("INSERT INTO t VALUES (1)")), .execute(.sql("INSERT INTO t VALUES (2)")),
        ])
        XCTAssertEqual(fixture.writeCount, 1)

        struct Refusal: Error {}
        let runner = PipelineRunner(
            connection: fixture.writer, role: .writer(prepareToWrite: { throw Refusal() }),
            options: .init(), rejectedChanges: nil)
        let outcome = runner.run(
            PipelineRequest(requests: [.execute(.sql("INSERT INTO t VALUES (3)"))]),
            in: StreamState(limits: .init()))
        guard case .failure(.storage(let cause)) = outcome.body else { return XCTFail() }
        XCTAssertTrue(cause is Refusal)
        XCTAssertEqual(try fixture.text("SELECT count(*) FROM t"), "2")
    }

    func testTransactionsThatEndInTheRequest() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        let begin = StreamRequest.execute(.sql("BEGIN"))
        let insert = StreamRequest.execute(.sql("INSERT INTO t VALUES (1)"))
        let closed = try fixture.run([begin, insert, .getAutocommit, .close, insert])
        XCTAssertEqual(closed[2].response?["is_autocommit"] as? Bool, false)
        XCTAssertEqual(closed[3].response?["type"] as? String, "close")
        XCTAssertEqual(closed[4].code, "STREAM_CLOSED")
        XCTAssertEqual(try fixture.text("SELECT count(*) FROM t"), "0")

        let committed = try fixture.run([
            begin, insert, .execute(.sql("COMMIT")), .getAutocommit, .unknown(type: "dance"),
        ])
        XCTAssertEqual(committed[3].response?["is_autocommit"] as? Bool, true)
        XCTAssertEqual(committed[4].code, "REQUEST_UNKNOWN")
        XCTAssertEqual(try fixture.text("SELECT count(*) FROM t"), "1")

        XCTAssertEqual(try fixture.run([]).count, 0)
    }

    func testNothingOfOneClientReachesTheNext() throws {
        let fixture = try SQLFixture(
            "CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES (41)")
        _ = try fixture.run([
            .execute(.sql("PRAGMA foreign_keys = ON")), .execute(.sql("INSERT INTO t VALUES (42)")),
        ])
        XCTAssertFalse(fixture.isDirty)
        XCTAssertEqual(try fixture.execute("PRAGMA foreign_keys").rows, ["0"])
        XCTAssertEqual(try fixture.execute("SELECT last_insert_rowid()").rows, ["0"])
        for sql in ["CREATE TEMP TABLE x(a)", "PRAGMA recursive_triggers = OFF"] {
            XCTAssertNil(try fixture.execute(sql).message)
            XCTAssertTrue(fixture.isDirty, sql)
        }
        // The policy and the deadline are gone for the connection's owner.
        try fixture.writer.execute("ATTACH ':memory:' AS x; DETACH x")
    }

    func testTheTimeLimit() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        fixture.options.limits.statementTime = .milliseconds(20)
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        let results = try fixture.run([
            .execute(.sql(endless + " SELECT count(*) FROM n")),
            .execute(.sql(endless + " INSERT INTO t SELECT i FROM n")),
            .execute(.sql("SELECT count(*) FROM t")),
        ])
        XCTAssertEqual(results[0].code, "SQLITE_INTERRUPT")
        XCTAssertEqual(
            results[0].message,
            "interrupted: the statement ran longer than its limit of 0.02 seconds")
        XCTAssertEqual(results[1].code, "SQLITE_INTERRUPT")
        XCTAssertEqual(results[2].rows, ["0"])
    }

    func testTheResponseLimit() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        fixture.options.limits.responseSize = 2_000
        let results = try fixture.run([
            .execute(.sql("SELECT value FROM generate_series(1, 100000)")),
            .execute(.sql("INSERT INTO t SELECT value FROM generate_series(1, 1000) RETURNING a")),
            .execute(.sql("SELECT count(*) FROM t")),
            .batch(
                Batch(steps: [
                    .step("SELECT 1"), .step("SELECT value FROM generate_series(1, 1000)"),
                    .step("SELECT 2"),
                ])),
        ])
        XCTAssertEqual(results[0].code, "RESPONSE_TOO_LARGE")
        XCTAssertEqual(results[1].code, "RESPONSE_TOO_LARGE")
        XCTAssertEqual(results[2].rows, ["0"], "half an INSERT took effect")
        XCTAssertEqual(results[3].pattern, "+-+")
    }

    func testOtherLimits() throws {
        let fixture = try SQLFixture()
        fixture.options.limits.valueSize = 10_000
        fixture.options.limits.sqlSize = 2_000
        fixture.options.limits.expressionDepth = 20
        fixture.options.limits.parameterCount = 5
        let rows: [(String, String)] = [
            ("SELECT length(zeroblob(20000))", "SQLITE_TOOBIG"),
            ("SELECT '" + String(repeating: "x", count: 3_000) + "'", "SQLITE_TOOBIG"),
            ("SELECT " + String(repeating: "1+", count: 50) + "1", "SQLITE_ERROR"),
            ("SELECT ?6", "SQLITE_ERROR"),
        ]
        for (sql, code) in rows { XCTAssertEqual(try fixture.execute(sql).code, code, sql) }
        XCTAssertEqual(
            try fixture.execute("SELECT ?", [.blob([UInt8](repeating: 0, count: 20_000))]).code,
            "SQLITE_TOOBIG")
    }
}
