import Foundation
import Primitives
import TestSupport
import WireProtocol
import XCTest

@testable import SQLStreams

final class BatchTests: XCTestCase {
    func testConditions() throws {
        let good = Batch.Step.step("SELECT 1")
        let bad = Batch.Step.step("SELECT nowhere")
        func probe(_ condition: BatchCondition) -> Batch.Step {
            .step("SELECT 2", if: condition)
        }
        let never = BatchCondition.or([])
        let rows: [([Batch.Step], String)] = [
            ([], ""),
            ([good, bad, good], "+-+"),
            ([good, probe(.ok(step: 0)), probe(.error(step: 0))], "++."),
            ([bad, probe(.ok(step: 0)), probe(.error(step: 0))], "-.+"),
            // A step that was skipped neither succeeded nor failed.
            ([probe(never), probe(.ok(step: 0)), probe(.error(step: 0))], "..."),
            ([probe(never), probe(.not(.ok(step: 0))), probe(.not(.error(step: 0)))], ".++"),
            ([probe(.and([])), probe(.or([]))], "+."),
            ([good, bad, probe(.and([.ok(step: 0), .error(step: 1)]))], "+-+"),
            ([good, bad, probe(.and([.ok(step: 0), .ok(step: 1)]))], "+-."),
            ([good, bad, probe(.or([.error(step: 0), .error(step: 1)]))], "+-+"),
            ([probe(.isAutocommit), probe(.not(.isAutocommit))], "+."),
            (
                [
                    .step("BEGIN"), probe(.isAutocommit), probe(.not(.isAutocommit)),
                    .step("COMMIT"), probe(.isAutocommit),
                ], "+.+++"
            ),
            (
                [
                    .step("BEGIN"), bad, .step("ROLLBACK", if: .error(step: 1)),
                    .step("COMMIT", if: .not(.isAutocommit)),
                ], "+-+."
            ),
        ]
        for (index, row) in rows.enumerated() {
            XCTAssertEqual(try SQLFixture().batch(row.0).pattern, row.1, "row \(index)")
        }
    }

    func testStepsCarryResultsAndErrors() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a UNIQUE)")
        let result = try fixture.batch([
            .step("INSERT INTO t VALUES (?)", [.integer(1)]),
            .step("INSERT INTO t VALUES (?)", [.integer(1)]),
            .step("INSERT INTO t VALUES (?)", [.integer(2)]),
            .step("SELECT a FROM t"),
        ])
        XCTAssertEqual(result.stepCodes, [nil, "SQLITE_CONSTRAINT_UNIQUE", nil, nil])
        XCTAssertEqual(Result.rows(of: result.stepResults[3]), ["1", "2"])
        XCTAssertEqual(result.stepResults[0]?["last_insert_rowid"] as? String, "1")
        XCTAssertTrue(fixture.recorder.changes.isEmpty)
    }

    func testEqualTextsAreCompiledOnceAndSurviveSchemaChanges() throws {
        let fixture = try SQLFixture("CREATE TABLE t(a)")
        let result = try fixture.batch([
            .step("INSERT INTO t SELECT 1 RETURNING *"),
            .step("ALTER TABLE t ADD COLUMN b DEFAULT 7"),
            .step("SELECT * FROM t"), .step("ALTER TABLE t ADD COLUMN c DEFAULT 8"),
            .step("SELECT * FROM t"), .step("DROP TABLE t"), .step("SELECT * FROM t"),
        ])
        XCTAssertEqual(result.pattern, "++++++-")
        XCTAssertEqual(Result.rows(of: result.stepResults[4]), ["1|7|8"])
        XCTAssertEqual((result.stepResults[4]?["cols"] as? [Any])?.count, 3)
    }

    /// Programs of random conditions, against a model of a few lines.
    func testRandomProgramsMatchTheModel() throws {
        var random = SeededGenerator.announced(for: name)
        let fixture = try SQLFixture("CREATE TABLE t(a)")

        enum Kind: CaseIterable { case good, bad, begin, commit, rollback }
        func condition(before step: Int, depth: Int) -> BatchCondition {
            switch Int.random(in: 0..<(depth > 0 ? 6 : 3), using: &random) {
            case 0 where step > 0: return .ok(step: Int.random(in: 0..<step, using: &random))
            case 1 where step > 0: return .error(step: Int.random(in: 0..<step, using: &random))
            case 3: return .not(condition(before: step, depth: depth - 1))
            case 4, 5:
                let inner = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                    condition(before: step, depth: depth - 1)
                }
                return Bool.random(using: &random) ? .and(inner) : .or(inner)
            default: return .isAutocommit
            }
        }
        func model(_ kinds: [Kind], _ conditions: [BatchCondition?]) -> String {
            var isAutocommit = true
            var pattern: [Character] = []
            func holds(_ condition: BatchCondition) -> Bool {
                switch condition {
                case .ok(let step): pattern[step] == "+"
                case .error(let step): pattern[step] == "-"
                case .not(let inner): !holds(inner)
                case .and(let inner): inner.filter { !holds($0) }.isEmpty
                case .or(let inner): !inner.filter { holds($0) }.isEmpty
                case .isAutocommit: isAutocommit
                }
            }
            for (kind, condition) in zip(kinds, conditions) {
                if let condition, !holds(condition) {
                    pattern.append(".")
                    continue
                }
                let succeeds =
                    switch kind {
                    case .good: true
                    case .bad: false
                    case .begin: isAutocommit
                    case .commit, .rollback: !isAutocommit
                    }
                if succeeds, kind != .good { isAutocommit = kind != .begin }
                pattern.append(succeeds ? "+" : "-")
            }
            return String(pattern)
        }
        let texts: [Kind: String] = [
            .good: "INSERT INTO t VALUES (1)", .bad: "INSERT INTO t VALUES (nowhere)",
            .begin: "BEGIN", .commit: "COMMIT", .rollback: "ROLLBACK",
        ]
        for _ in 0..<300 {
            let count = Int.random(in: 0...12, using: &random)
            let kinds = (0..<count).map { _ in Kind.allCases.randomElement(using: &random)! }
            let conditions = (0..<count).map { step in
                Bool.random(using: &random) ? condition(before: step, depth: 3) : nil
            }
            let steps = zip(kinds, conditions).map { Batch.Step.step(texts[$0]!, if: $1) }
            let result = try fixture.run([.batch(Batch(steps: steps)), .close])[0]
            XCTAssertEqual(result.pattern, model(kinds, conditions), "\(steps)")
        }
    }
}
