import Primitives
import SQLite
import Storage
import WireProtocol
import XCTest

@testable import SQLStreams

/// `PRAGMA wal_checkpoint` and VACUUM, whose checkpoints the storage runs.
final class CheckpointPragmaTests: XCTestCase {
    func testThePragmaIsCarriedOutByTheStorage() throws {
        let rows: [(sql: String, mode: CheckpointMode)] = [
            ("PRAGMA wal_checkpoint", .passive), ("PRAGMA wal_checkpoint(PASSIVE)", .passive),
            ("PRAGMA wal_checkpoint(FULL)", .full), ("pragma WAL_CHECKPOINT(restart)", .restart),
            ("PRAGMA main.wal_checkpoint(TRUNCATE);", .truncate),
            ("PRAGMA wal_checkpoint = Truncate", .truncate),
            ("PRAGMA Main . wal_checkpoint='full'", .full),
            ("/* */ PRAGMA \"wal_checkpoint\"(\"RESTART\")", .restart),
            // SQLite does not complain either.
            ("PRAGMA wal_checkpoint(harder)", .passive),
        ]
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        for row in rows {
            let result = try fixture.execute(row.sql)
            XCTAssertEqual(fixture.checkpoints.last, row.mode, row.sql)
            XCTAssertEqual(result.rows, ["0|7|5"], row.sql)
            XCTAssertEqual(
                (result.result?["cols"] as? [[String: Any]])?.map { $0["name"] as? String },
                ["busy", "log", "checkpointed"])
            XCTAssertEqual(result.result?["affected_row_count"] as? Int, 0)
        }
        XCTAssertEqual(fixture.checkpoints.count, rows.count)
        XCTAssertEqual(
            try fixture.execute("PRAGMA wal_checkpoint", wantsRows: false).rows, [])
        fixture.checkpointOutcome = .success(
            CheckpointResult(isBusy: true, walFrameCount: 7, checkpointedFrameCount: 0))
        XCTAssertEqual(try fixture.execute("PRAGMA wal_checkpoint(FULL)").rows, ["1|7|0"])
    }

    func testSQLiteNeverRunsThePragma() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a); INSERT INTO t VALUES (1)")
        fixture.checkpointOutcome = .success(
            CheckpointResult(isBusy: false, walFrameCount: 0, checkpointedFrameCount: 0))
        for sql in ["PRAGMA wal_checkpoint(TRUNCATE)", "EXPLAIN PRAGMA wal_checkpoint(TRUNCATE)"] {
            XCTAssertNil(try fixture.execute(sql).message, sql)
        }
        XCTAssertNil(try fixture.run([.sequence(SQLText(sql: "PRAGMA wal_checkpoint"))])[0].message)
        _ = try fixture.run([.describe(SQLText(sql: "PRAGMA wal_checkpoint(FULL)"))])
        XCTAssertEqual(fixture.checkpoints, [.truncate, .passive])
        // SQLite's own looks at the frames that are all still there.
        XCTAssertGreaterThan(try fixture.writer.checkpoint(.passive).walFrameCount, 0)
    }

    func testWhereItIsRefused() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        let batch = try fixture.batch([
            .step("BEGIN"), .step("PRAGMA wal_checkpoint"), .step("INSERT INTO t VALUES (1)"),
            .step("COMMIT"),
        ])
        XCTAssertEqual(batch.pattern, "+-++")
        XCTAssertEqual(batch.stepCodes[1], "SQLITE_LOCKED")
        XCTAssertEqual(
            (batch.result?["step_errors"] as? [Any])
                .flatMap { ($0[1] as? [String: Any])?["message"] as? String },
            "database table is locked")
        XCTAssertEqual(try fixture.execute("PRAGMA temp.wal_checkpoint").code, "BLOCKED")
        XCTAssertEqual(fixture.checkpoints, [])
        guard
            case .failure(.needsWriter) = fixture.outcome(
                [.execute(.sql("PRAGMA wal_checkpoint"))], onReader: true
            ).body
        else { return XCTFail("a reader cannot") }
        XCTAssertEqual(fixture.checkpoints, [])
    }

    func testAFailureIsTheStatementsOrTheRequests() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        fixture.checkpointOutcome = .failure(.sqlite(SQLiteError(extendedCode: 13)))
        XCTAssertEqual(try fixture.execute("PRAGMA wal_checkpoint").code, "SQLITE_FULL")
        fixture.checkpointOutcome = .failure(.closed)
        guard
            case .failure(.storage(StorageError.closed)) = fixture.outcome(
                [.execute(.sql("PRAGMA wal_checkpoint"))]
            ).body
        else { return XCTFail("the storage failed") }
    }

    func testAVacuumBeginsWithAnEmptyWAL() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        for outcome in [
            fixture.checkpointOutcome, .failure(StorageError.sqlite(SQLiteError(extendedCode: 13))),
        ] {
            fixture.checkpointOutcome = outcome
            XCTAssertNil(try fixture.execute("VACUUM").message)
        }
        XCTAssertEqual(fixture.checkpoints, [.truncate, .truncate])
        let batch = try fixture.batch([.step("BEGIN"), .step("VACUUM"), .step("ROLLBACK")])
        XCTAssertEqual(batch.pattern, "+-+")
        XCTAssertNil(try fixture.execute("EXPLAIN VACUUM").message)
        XCTAssertEqual(fixture.checkpoints.count, 2)
    }

    func testAReaderThatTheStorageStopsSaysSo() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        defer { fixture.reader.setStopCheck(nil) }
        fixture.reader.setStopCheck { true }
        let body = try fixture.outcome(
            [.execute(.sql("SELECT count(*) FROM generate_series(1, 1000000)"))], onReader: true
        ).body.get()
        let text = String(decoding: body, as: UTF8.self)
        XCTAssertTrue(text.contains(#""code":"SNAPSHOT_TOO_OLD""#), text)
    }
}
