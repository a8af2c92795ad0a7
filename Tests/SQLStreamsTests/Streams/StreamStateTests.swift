import SQLite
import WireProtocol
import XCTest

@testable import SQLStreams

/// What a stream keeps between two requests, and what the connection gets back.
final class StreamStateTests: XCTestCase {
    private func execute(_ sql: String) -> StreamRequest { .execute(.sql(sql)) }

    private enum Kept: Equatable { case nothing, something, begun, open }

    private func kept(_ outcome: PipelineRunner.Outcome) -> Kept {
        switch outcome.kept?.transaction {
        case nil: .nothing
        case .some(.none): .something
        case .begun: .begun
        case .open: .open
        }
    }

    func testWhatIsWorthABaton() throws {
        let rows: [(sql: [String], kept: Kept)] = [
            ([], .nothing), (["SELECT 1"], .nothing), (["INSERT INTO t VALUES (1)"], .nothing),
            (["BEGIN"], .begun), (["BEGIN DEFERRED TRANSACTION"], .begun),
            (["INSERT INTO t VALUES (1)", "BEGIN"], .begun), (["BEGIN", "BEGIN"], .open),
            (["BEGIN", "COMMIT"], .nothing), (["BEGIN", "ROLLBACK", "BEGIN"], .begun),
            (["BEGIN IMMEDIATE"], .open), (["BEGIN EXCLUSIVE"], .open),
            (["BEGIN", "SELECT * FROM t"], .open), (["BEGIN", "INSERT INTO t VALUES (1)"], .open),
            (["BEGIN", "SELECT * FROM missing"], .open), (["SAVEPOINT a"], .open),
            (["BEGIN", "SAVEPOINT a"], .open),
            (["BEGIN", "PRAGMA defer_foreign_keys = ON"], .open),
            (["PRAGMA foreign_keys = ON"], .something),
            (["PRAGMA foreign_keys = ON", "PRAGMA foreign_keys = OFF"], .nothing),
            (["CREATE TEMP TABLE x(a)"], .nothing), (["PRAGMA recursive_triggers = ON"], .nothing),
        ]
        for (sql, expected) in rows {
            for last in [nil, StreamRequest.close] {
                let fixture = try SQLFixture("CREATE TABLE t(a)")
                let requests = sql.map { self.execute($0) } + [last].compactMap { $0 }
                let outcome = fixture.outcome(requests)
                XCTAssertEqual(kept(outcome), last == nil ? expected : .nothing, "\(sql)")
                if let stream = outcome.kept, stream.isOpen {
                    XCTAssertFalse(PipelineRunner.end(stream, on: fixture.writer))
                }
                XCTAssertTrue(fixture.writer.isAutocommit)
                XCTAssertFalse(try fixture.writer.areForeignKeysEnabled())
            }
        }
    }

    /// On a reader a transaction could not go on to write once somebody else has.
    func testAReaderKeepsNoTransactionThatHasRead() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        let rows: [(sql: [String], kept: Kept?)] = [
            (["BEGIN"], .begun), (["BEGIN", "SELECT * FROM t"], nil), (["SAVEPOINT a"], nil),
            (["BEGIN", "SELECT * FROM t", "COMMIT"], .nothing),
            (["PRAGMA foreign_keys = ON"], .something),
        ]
        for (sql, expected) in rows {
            let outcome = fixture.outcome(sql.map { self.execute($0) }, onReader: true)
            if case .failure(.needsWriter) = outcome.answer {
                XCTAssertNil(expected, "\(sql)")
            } else {
                XCTAssertEqual(kept(outcome), expected, "\(sql)")
            }
        }
    }

    func testATransactionGoesOnWhereItWas() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a INTEGER PRIMARY KEY)")
        var stream: StreamState?
        let begun = try fixture.run([execute("BEGIN"), .getAutocommit], on: &stream)
        XCTAssertEqual(begun[1].response?["is_autocommit"] as? Bool, false)
        let first = try fixture.run(
            [.getAutocommit, execute("INSERT INTO t VALUES (41)")], on: &stream)
        XCTAssertEqual(first[0].response?["is_autocommit"] as? Bool, false)
        XCTAssertEqual(stream?.isOpen, true)
        XCTAssertEqual(try fixture.reader.queryInteger("SELECT count(*) FROM t"), 0)
        let second = try fixture.run(
            [
                execute("SELECT last_insert_rowid(), count(*) FROM t"), execute("SAVEPOINT a"),
                execute("INSERT INTO t VALUES (41)"), execute("INSERT INTO t VALUES (42)"),
            ], on: &stream)
        XCTAssertEqual(second[0].rows, ["41|1"])
        XCTAssertEqual(second[2].code, "SQLITE_CONSTRAINT_PRIMARYKEY")
        _ = try fixture.run([execute("ROLLBACK TO a"), execute("COMMIT")], on: &stream)
        XCTAssertNil(stream)
        XCTAssertEqual(try fixture.reader.queryInteger("SELECT group_concat(a) FROM t"), 41)
    }

    /// Nobody else may see them, and the stream itself only while it has the connection.
    func testConnectionsAreGivenBackAsTheyWere() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        var stream: StreamState?
        _ = try fixture.run(
            [
                execute("PRAGMA foreign_keys = ON"), execute("BEGIN IMMEDIATE"),
                execute("CREATE TEMP TABLE x(a)"),
            ], on: &stream)
        XCTAssertTrue(try fixture.writer.areForeignKeysEnabled())
        let next = try fixture.run([execute("INSERT INTO x VALUES (1) RETURNING a")], on: &stream)
        XCTAssertEqual(next[0].rows, ["1"])
        _ = try fixture.run([execute("COMMIT")], on: &stream)
        XCTAssertTrue(fixture.isDirty)
        XCTAssertFalse(try fixture.writer.areForeignKeysEnabled())
        // The setting is still the stream's.
        let setting = try fixture.run([execute("PRAGMA foreign_keys")], on: &stream)
        XCTAssertEqual(setting[0].rows, ["1"])
        _ = try fixture.run([execute("PRAGMA foreign_keys = 0")], on: &stream)
        XCTAssertNil(stream)

        _ = try fixture.run(
            [execute("BEGIN IMMEDIATE"), execute("PRAGMA recursive_triggers = ON")], on: &stream)
        XCTAssertTrue(PipelineRunner.end(try XCTUnwrap(stream), on: fixture.writer))
        // The policy and the deadline are gone for the connection's owner.
        try fixture.writer.execute("ATTACH ':memory:' AS y; DETACH y")
    }

    func testATransactionThatAStatementEndsIsOver() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE ON CONFLICT ROLLBACK)")
        var stream: StreamState?
        _ = try fixture.run([execute("BEGIN"), execute("INSERT INTO t VALUES (1)")], on: &stream)
        let results = try fixture.run(
            [execute("INSERT INTO t VALUES (1)"), .getAutocommit], on: &stream)
        XCTAssertEqual(results[0].code, "SQLITE_CONSTRAINT_UNIQUE")
        XCTAssertEqual(results[1].response?["is_autocommit"] as? Bool, true)
        XCTAssertNil(stream)
    }

    func testStoredSQLLivesAsLongAsTheStream() throws {
        let fixture = try SQLFixture()
        fixture.options.limits.storedSQLSize = 20
        let byID = StreamRequest.execute(WireProtocol.Statement(text: SQLText(sqlID: 1)))
        var stream: StreamState?
        _ = try fixture.run([.storeSQL(id: 1, sql: "SELECT 'kept'")], on: &stream)
        let results = try fixture.run(
            [
                byID, .storeSQL(id: 2, sql: "SELECT 1"), .closeSQL(id: 1),
                .storeSQL(id: 2, sql: "SELECT 1"), .closeSQL(id: 2),
            ], on: &stream)
        XCTAssertEqual(results.map { $0.code ?? "" }, ["", "SQL_STORE_TOO_LARGE", "", "", ""])
        XCTAssertEqual(results[0].rows, ["kept"])
        XCTAssertNil(stream)
        XCTAssertEqual(try fixture.run([byID], on: &stream)[0].code, "SQL_ID_NOT_FOUND")
    }
}
