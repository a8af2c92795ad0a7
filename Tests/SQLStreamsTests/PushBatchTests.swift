import Foundation
import Primitives
import SQLite
import WireProtocol
import XCTest

@testable import SQLStreams

final class PushBatchTests: XCTestCase {
    private static let upsert =
        "INSERT INTO turso_sync_last_change_id(client_id, pull_gen, change_id) VALUES (?, ?, ?)"
        + " ON CONFLICT(client_id) DO UPDATE SET pull_gen=excluded.pull_gen,"
        + " change_id=excluded.change_id"

    /// A batch as the clients send it.
    private func push(
        _ changes: [(String, [SQLValue])], client: String = "c1", change: Int64 = 9
    ) -> Batch {
        let inside = BatchCondition.not(.isAutocommit)
        var steps: [Batch.Step] = [
            .step("BEGIN IMMEDIATE"),
            .step(
                "CREATE TABLE IF NOT EXISTS turso_sync_last_change_id (client_id TEXT PRIMARY KEY,"
                    + " pull_gen INTEGER, change_id INTEGER)", if: inside),
        ]
        steps += changes.map { .step($0.0, $0.1, if: inside) }
        steps.append(
            .step(Self.upsert, [.text(client), .integer(3), .integer(change)], if: inside))
        steps.append(.step("COMMIT", if: inside))
        return Batch(steps: steps)
    }

    private func insert(_ value: Int64) -> (String, [SQLValue]) {
        ("INSERT INTO t VALUES (?)", [.integer(value)])
    }

    private func state(_ fixture: SQLFixture) throws -> String {
        let values = try fixture.text("SELECT group_concat(a) FROM t") ?? ""
        let hasNote =
            try fixture.text("SELECT 1 FROM sqlite_schema WHERE name = 'turso_sync_last_change_id'")
        let note =
            hasNote == nil
            ? nil
            : try fixture.text(
                "SELECT client_id || pull_gen || '/' || change_id FROM turso_sync_last_change_id")
        return values + " " + (note ?? "-")
    }

    func testRecognition() throws {
        let push = push([insert(1)])
        XCTAssertEqual(
            PushBatch(push)?.position,
            PushPosition(clientID: "c1", pullGeneration: 3, changeID: 9))
        XCTAssertEqual(PushBatch(push)?.positionStepIndex, 3)
        XCTAssertTrue(PushBatch.notesPosition(Self.upsert.uppercased()))
        XCTAssertTrue(
            PushBatch.notesPosition(Self.upsert.replacingOccurrences(of: " ", with: "\n  ")))
        for sql in [
            "SELECT pull_gen, change_id FROM turso_sync_last_change_id WHERE client_id = ?",
            "INSERT INTO turso_sync_last_change_id(client_id, pull_gen, change_id) VALUES (?, ?, ?)",
            "INSERT INTO t VALUES ('turso_sync_last_change_id ON CONFLICT(client_id)')",
        ] {
            XCTAssertFalse(PushBatch.notesPosition(sql), sql)
            XCTAssertNil(PushBatch(Batch(steps: [.step(sql)])))
        }
        XCTAssertNil(PushBatch(Batch(steps: [.step(Self.upsert, [.null, .null, .null])])))
    }

    func testAPushCommitsChangesAndPosition() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE)")
        let result = try fixture.run([.batch(push([insert(1), insert(2)]))])[0]
        XCTAssertEqual(result.pattern, "++++++")
        XCTAssertEqual(try state(fixture), "1,2 c13/9")
        XCTAssertEqual(fixture.writeCount, 1)
        XCTAssertTrue(fixture.recorder.changes.isEmpty)
        XCTAssertTrue(fixture.recorder.resolutions.isEmpty)
    }

    func testAReaderHandsAPushToTheWriter() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        let outcome = fixture.outcome([.batch(push([insert(1)]))], onReader: true)
        guard case .failure(.needsWriter) = outcome.body else { return XCTFail() }
    }

    func testRefusedChangesAreRecordedBeforeTheCommit() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)")
        var wasCommitted: Bool?
        fixture.recorder.onRecord = {
            wasCommitted = (try? self.state(fixture)).map { _ in fixture.writer.isAutocommit }
        }
        let result = try fixture.run([
            .batch(
                push([
                    insert(1), insert(2), ("INSERT INTO gone VALUES (?)", [.text("x")]),
                    ("CREATE VIRTUAL TABLE f USING fts5(x)", []), ("INSERT INTO t VALUES (?)", []),
                    ("ALTER TABLE t ADD COLUMN a", []), insert(3),
                ]))
        ])[0]
        XCTAssertEqual(result.pattern, "++-+----+++")
        XCTAssertEqual(try state(fixture), "1,2,3 c13/9")
        XCTAssertEqual(wasCommitted, false)
        XCTAssertEqual(fixture.recorder.resolutions, [true])
        let changes = fixture.recorder.changes
        XCTAssertEqual(changes.map(\.stepIndex), [2, 4, 5, 6])
        XCTAssertEqual(
            changes.map(\.failure.code),
            [
                "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_ERROR", "UNSUPPORTED_BY_REPLICAS",
                "ARGS_INVALID",
            ])
        XCTAssertEqual(
            changes[0],
            RejectedChange(
                position: PushPosition(clientID: "c1", pullGeneration: 3, changeID: 9),
                stepIndex: 2, sql: "INSERT INTO t VALUES (?)", arguments: [.integer(1)],
                failure: SQLFailure(
                    message: "UNIQUE constraint failed: t.a", code: "SQLITE_CONSTRAINT_UNIQUE")))
    }

    func testARecorderThatFailsRollsThePushBack() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)")
        fixture.recorder.fails = true
        let outcome = fixture.outcome([.batch(push([insert(1), insert(2)]))])
        guard case .failure(.storage) = outcome.body else { return XCTFail() }
        XCTAssertEqual(try state(fixture), "1 -")
        XCTAssertTrue(fixture.recorder.resolutions.isEmpty)
    }

    func testARefusalThatEndsTheTransactionRunsTheRestAgain() throws {
        let fixture = try SQLFixture(
            "CREATE TABLE t(a UNIQUE ON CONFLICT ROLLBACK); INSERT INTO t VALUES (1), (5)")
        let result = try fixture.run([
            .batch(push([insert(2), insert(1), insert(3), insert(5), insert(5), insert(4)]))
        ])[0]
        XCTAssertEqual(result.pattern, "+++-+--+++")
        XCTAssertEqual(result.stepCodes[3], "SQLITE_CONSTRAINT_UNIQUE")
        XCTAssertEqual(try state(fixture), "1,5,2,3,4 c13/9")
        XCTAssertEqual(fixture.recorder.changes.map(\.stepIndex), [3, 5, 6])
        XCTAssertEqual(fixture.recorder.resolutions, [true])
    }

    func testTriggersAndForeignKeyActionsAreOff() throws {
        let fixture = try SQLFixture(
            """
            CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);
            CREATE TABLE c(p REFERENCES t(a) ON DELETE CASCADE); INSERT INTO c VALUES (1), (2);
            CREATE TABLE log(a);
            CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END;
            """)
        try fixture.writer.setForeignKeysEnabled(true)
        let result = try fixture.run([
            .batch(push([insert(3), ("DELETE FROM t WHERE a = 1", [])]))
        ])[0]
        XCTAssertEqual(result.pattern, "++++++")
        XCTAssertEqual(try fixture.text("SELECT count(*) FROM log"), "0")
        XCTAssertEqual(try fixture.text("SELECT group_concat(p) FROM c"), "1,2")
        // They are on again for others.
        XCTAssertTrue(try fixture.writer.areForeignKeysEnabled())
        XCTAssertNil(try fixture.execute("INSERT INTO t VALUES (4)").message)
        XCTAssertNil(try fixture.execute("DELETE FROM t WHERE a = 2").message)
        XCTAssertEqual(try fixture.text("SELECT group_concat(a) FROM log"), "4")
        XCTAssertEqual(try fixture.text("SELECT group_concat(p) FROM c"), "1")
    }

    func testAStrictDatabaseRollsThePushBack() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)")
        fixture.options.isStrict = true
        let result = try fixture.run([.batch(push([insert(2), insert(1), insert(3)]))])[0]
        XCTAssertEqual(result.code, "SQLITE_CONSTRAINT_UNIQUE")
        XCTAssertEqual(try state(fixture), "1 -")
        XCTAssertTrue(fixture.recorder.changes.isEmpty)
        let second = try fixture.run([
            .batch(push([("ALTER TABLE t ADD COLUMN a", []), insert(2)]))
        ])[0]
        XCTAssertEqual(second.pattern, "++-+++")
        XCTAssertEqual(try state(fixture), "1,2 c13/9")
    }

    func testFailuresOfTheMachineRollThePushBack() throws {
        // A full disk.
        let full = try SQLFixture("CREATE TABLE t(a)")
        let pageCount = try full.writer.queryInteger("PRAGMA page_count") ?? 0
        try full.writer.execute("PRAGMA max_page_count = \(pageCount + 3)")
        let big = ("INSERT INTO t VALUES (zeroblob(100000))", [SQLValue]())
        let result = try full.run([.batch(push([insert(1), big, insert(2)]))])[0]
        XCTAssertEqual(result.code, "SQLITE_FULL")
        XCTAssertEqual(try state(full), " -")
        XCTAssertTrue(full.recorder.changes.isEmpty)

        // A statement that takes too long.
        let slow = try SQLFixture("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)")
        slow.options.limits.pushStatementTime = .milliseconds(20)
        let endless = (
            "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n)"
                + " SELECT count(*) FROM n", [SQLValue]()
        )
        let interrupted = try slow.run([.batch(push([insert(1), insert(2), endless]))])[0]
        XCTAssertEqual(interrupted.code, "SQLITE_INTERRUPT")
        XCTAssertEqual(try state(slow), "1 -")
        XCTAssertTrue(slow.recorder.changes.isEmpty)
    }

    /// Changes without the position would be pushed, and applied, again.
    func testAPositionThatCannotBeNotedRollsThePushBack() throws {
        let fixture = try SQLFixture(
            "CREATE TABLE t(a); CREATE TABLE turso_sync_last_change_id(client_id TEXT)")
        let result = try fixture.run([.batch(push([insert(1)]))])[0]
        XCTAssertEqual(result.code, "SQLITE_ERROR")
        XCTAssertEqual(try fixture.text("SELECT count(*) FROM t"), "0")
    }

    /// Whether the transaction commits is not known while a refusal would have to be recorded.
    func testAPushThatLeavesItsTransactionOpenHasNoRefusals() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)")
        var batch = push([insert(1), insert(2)])
        batch.steps.removeLast()
        let results = try fixture.run([.batch(batch), .getAutocommit])
        XCTAssertEqual(results[0].code, "SQLITE_CONSTRAINT_UNIQUE")
        XCTAssertEqual(results[1].response?["is_autocommit"] as? Bool, true)
        XCTAssertEqual(try state(fixture), "1 -")
        XCTAssertTrue(fixture.recorder.changes.isEmpty)

        batch = push([insert(2)])
        batch.steps.removeLast()
        var stream: StreamState?
        XCTAssertEqual(try fixture.run([.batch(batch)], on: &stream)[0].pattern, "++++")
        XCTAssertNil(try fixture.run([.execute(.sql("COMMIT"))], on: &stream)[0].message)
        XCTAssertNil(stream)
        XCTAssertEqual(try state(fixture), "1,2 c13/9")
    }

    func testARollbackInThePushVoidsItsRefusals() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)")
        var batch = push([insert(1), insert(2)])
        batch.steps[batch.steps.count - 1] = .step("ROLLBACK")
        XCTAssertEqual(try fixture.run([.batch(batch)])[0].pattern, "++-+++")
        XCTAssertEqual(try state(fixture), "1 -")
        XCTAssertTrue(fixture.recorder.changes.isEmpty)
    }

    func testRefusalsOutsideOfATransactionAreRecorded() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)")
        var batch = push([insert(1), insert(2)])
        batch.steps.removeLast()
        batch.steps.removeFirst()
        batch.steps = batch.steps.map { Batch.Step(statement: $0.statement) }
        XCTAssertEqual(try fixture.run([.batch(batch)])[0].pattern, "+-++")
        XCTAssertEqual(fixture.recorder.changes.map(\.stepIndex), [1])
        XCTAssertEqual(fixture.recorder.resolutions, [true])
    }

    func testTwentyThousandRowsCostOneCompilationEachText() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE, b)")
        let changes = (0..<20_000).map { index -> (String, [SQLValue]) in
            ("INSERT INTO t VALUES (?, ?)", [.integer(Int64(index)), .text("row \(index)")])
        }
        let batch = push(changes)
        let runner = StatementRunner(
            connection: fixture.writer, role: .writer(prepareToWrite: {}), limits: SQLLimits(),
            isSynced: true)
        runner.begin()
        var writer = PipelineResponseWriter()
        writer.beginBatch()
        let start = ContinuousClock.now
        try PushBatchRunner(
            batch, try XCTUnwrap(PushBatch(batch)), runner: runner,
            stored: StoredSQL(limits: SQLLimits()),
            recorder: nil, isStrict: false
        ).run(into: &writer)
        print("20,000 rows: \(ContinuousClock.now - start)")
        XCTAssertEqual(runner.compileCount, 5)
        runner.end()
        XCTAssertEqual(try fixture.text("SELECT count(*) FROM t"), "20000")
    }
}
