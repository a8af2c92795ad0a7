import Primitives
import WireProtocol
import XCTest

@testable import SQLStreams

/// Which requests go to the writer without a try on a reader.
final class PlainWriteTests: XCTestCase {
    private func execute(_ sql: String) -> StreamRequest {
        .execute(WireProtocol.Statement(text: SQLText(sql: sql)))
    }

    private func batch(_ texts: String...) -> StreamRequest {
        .batch(
            Batch(
                steps: texts.map {
                    Batch.Step(statement: WireProtocol.Statement(text: SQLText(sql: $0)))
                }))
    }

    func testPlainWrites() {
        let rows: [(requests: [StreamRequest], isPlain: Bool)] = [
            ([execute("INSERT INTO t VALUES (1)")], true), ([execute("update t SET a = 1")], true),
            ([execute(" /* a */ -- b\n delete FROM t")], true), ([execute("VACUUM")], true),
            ([execute("SELECT 1")], false), ([execute("EXPLAIN INSERT INTO t VALUES (1)")], false),
            ([execute("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x")], false),
            ([execute("PRAGMA user_version = 1")], false), ([execute("")], false),
            ([execute("INSERTED")], false), ([execute("/* INSERT")], false),
            ([batch("BEGIN IMMEDIATE", "SELECT 1")], true), ([batch("begin exclusive")], true),
            ([batch("BEGIN", "INSERT INTO t VALUES (1)")], true),
            ([batch("BEGIN TRANSACTION", "DROP TABLE t")], true),
            ([batch("BEGIN DEFERRED", "SELECT 1")], false), ([batch("BEGIN")], false),
            ([batch("BEGIN", "BEGIN", "INSERT INTO t VALUES (1)")], false),
            ([execute("BEGIN"), execute("REPLACE INTO t VALUES (1)")], true),
            ([execute("SELECT 1"), execute("INSERT INTO t VALUES (1)")], false),
            ([.sequence(SQLText(sql: "CREATE TABLE u (a); SELECT 1"))], true),
            ([.close, execute("INSERT INTO t VALUES (1)")], true), ([], false),
            (
                [execute("INSERT INTO t VALUES ('" + String(repeating: "é", count: 200) + "')")],
                true
            ),
        ]
        for row in rows {
            XCTAssertEqual(
                PipelineRequest(requests: row.requests).plainlyWrites, row.isPlain,
                "\(row.requests)")
        }
    }
}
