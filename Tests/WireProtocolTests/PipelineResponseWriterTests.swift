import Foundation
import Primitives
import XCTest

@testable import WireProtocol

final class PipelineResponseWriterTests: XCTestCase {
    private static let failure = SQLFailure(
        message: "UNIQUE constraint failed: t.c", code: "SQLITE_CONSTRAINT_UNIQUE")
    private static let failureText =
        #"{"message":"UNIQUE constraint failed: t.c","code":"SQLITE_CONSTRAINT_UNIQUE"}"#
    private static let emptyResult =
        #"{"cols":[],"rows":[],"affected_row_count":0,"last_insert_rowid":null,"#
        + #""replication_index":null}"#

    private func written(
        baton: String? = nil, _ write: (inout PipelineResponseWriter) -> Void
    ) -> String {
        var writer = PipelineResponseWriter()
        write(&writer)
        let bytes = writer.finish(baton: baton)
        XCTAssertNoThrow(try JSONDocument(parsing: bytes))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The `results` array's content.
    private func results(_ write: (inout PipelineResponseWriter) -> Void) -> String {
        let text = written(write)
        let prefix = #"{"baton":null,"base_url":null,"results":["#
        XCTAssertTrue(text.hasPrefix(prefix) && text.hasSuffix("]}"))
        return String(text.dropFirst(prefix.count).dropLast(2))
    }

    private func empty(_ writer: inout PipelineResponseWriter) {
        writer.beginStatement(columns: [])
        writer.endStatement(affectedRowCount: 0, lastInsertRowID: nil)
    }

    func testNoResults() {
        XCTAssertEqual(written { _ in }, #"{"baton":null,"base_url":null,"results":[]}"#)
        XCTAssertEqual(
            written(baton: "a\"b") { _ in },
            #"{"baton":"a\"b","base_url":null,"results":[]}"#)
    }

    func testExecuteWithEveryKindOfValue() {
        let text = results { writer in
            writer.beginExecute()
            writer.beginStatement(columns: [
                ResultColumn(name: "a\"", declaredType: "INTEGER"), ResultColumn(name: "b"),
            ])
            writer.appendRow([.integer(.min), .text("é/\0")])
            writer.appendRow([.float(0.1), .float(.infinity)])
            writer.appendRow([.blob([0, 255, 254, 255]), .null])
            writer.beginRow()
            [UInt8](arrayLiteral: 0x61).withUnsafeBytes { writer.appendText($0) }
            [UInt8](arrayLiteral: 255).withUnsafeBytes { writer.appendBlob($0) }
            writer.endRow()
            writer.endStatement(affectedRowCount: 3, lastInsertRowID: .max)
            writer.endExecute()
        }
        XCTAssertEqual(
            text,
            #"{"type":"ok","response":{"type":"execute","result":{"#
                + #""cols":[{"name":"a\"","decltype":"INTEGER"},{"name":"b","decltype":null}],"#
                + #""rows":["#
                + #"[{"type":"integer","value":"-9223372036854775808"},"#
                + #"{"type":"text","value":"é/\u0000"}],"#
                + #"[{"type":"float","value":0.1},{"type":"float","value":null}],"#
                + #"[{"type":"blob","base64":"AP/+/w"},{"type":"null"}],"#
                + #"[{"type":"text","value":"a"},{"type":"blob","base64":"/w"}]],"#
                + #""affected_row_count":3,"last_insert_rowid":"9223372036854775807","#
                + #""replication_index":null}}}"#)
    }

    func testBatchWithResultsErrorsAndSkips() {
        let text = results { writer in
            writer.beginBatch()
            empty(&writer)
            writer.failStep(Self.failure)
            writer.skipStep()
            empty(&writer)
            writer.endBatch()
        }
        XCTAssertEqual(
            text,
            #"{"type":"ok","response":{"type":"batch","result":{"step_results":["#
                + Self.emptyResult + ",null,null," + Self.emptyResult + #"],"step_errors":[null,"#
                + Self.failureText + ",null,null]}}}")
    }

    func testAStepThatFailsHalfwayLeavesNothing() {
        let text = results { writer in
            writer.beginBatch()
            writer.beginStatement(columns: [ResultColumn(name: "secret")])
            writer.appendRow([.text("secret")])
            writer.beginRow()
            writer.append(.text("secret"))
            writer.failStep(Self.failure)
            empty(&writer)
            writer.endBatch()
        }
        XCTAssertEqual(
            text,
            #"{"type":"ok","response":{"type":"batch","result":{"step_results":[null,"#
                + Self.emptyResult + #"],"step_errors":["# + Self.failureText + ",null]}}}")
    }

    func testARequestThatFailsHalfwayBecomesAnError() {
        let error = #"{"type":"error","error":"# + Self.failureText + "}"
        let text = results { writer in
            writer.appendDone(.close)
            writer.beginExecute()
            writer.beginStatement(columns: [])
            writer.failRequest(Self.failure)
            writer.beginBatch()
            empty(&writer)
            writer.failStep(Self.failure)
            writer.failRequest(Self.failure)
            writer.beginExecute()
            writer.failRequest(Self.failure)
            writer.appendFailure(Self.failure)
        }
        XCTAssertEqual(
            text,
            #"{"type":"ok","response":{"type":"close"}},"#
                + [error, error, error, error].joined(separator: ","))
    }

    func testAnAbandonedBatchCanBeginAgain() {
        let text = results { writer in
            writer.beginBatch()
            writer.skipStep()
            writer.failStep(Self.failure)
            writer.abandonRequest()
            writer.beginBatch()
            writer.failStep(Self.failure)
            writer.endBatch()
        }
        XCTAssertEqual(
            text,
            #"{"type":"ok","response":{"type":"batch","result":"#
                + #"{"step_results":[null],"step_errors":["# + Self.failureText + "]}}}")
    }

    func testShortResponses() {
        let text = results { writer in
            writer.appendDone(.sequence)
            writer.appendDone(.storeSQL)
            writer.appendDone(.closeSQL)
            writer.appendAutocommit(false)
            writer.appendDescription(
                StatementDescription(
                    parameterNames: [":a", nil],
                    columns: [ResultColumn(name: "x", declaredType: "TEXT")], isExplain: false,
                    isReadOnly: true))
        }
        XCTAssertEqual(
            text,
            #"{"type":"ok","response":{"type":"sequence"}},"#
                + #"{"type":"ok","response":{"type":"store_sql"}},"#
                + #"{"type":"ok","response":{"type":"close_sql"}},"#
                + #"{"type":"ok","response":{"type":"get_autocommit","is_autocommit":false}},"#
                + #"{"type":"ok","response":{"type":"describe","result":{"#
                + #""params":[{"name":":a"},{"name":null}],"#
                + #""cols":[{"name":"x","decltype":"TEXT"}],"#
                + #""is_explain":false,"is_readonly":true}}}"#
        )
    }

    func testValuesReadBack() throws {
        let values: [SQLValue] = [
            .null, .integer(0), .integer(.min), .integer(.max), .float(.leastNonzeroMagnitude),
            .float(-0.0),
            .text(""), .text("\"\\/\u{1}\n💥\0"), .blob([]), .blob(Array(0...255)),
        ]
        var writer = PipelineResponseWriter()
        writer.beginExecute()
        writer.beginStatement(columns: [])
        writer.appendRow(values)
        writer.endStatement(affectedRowCount: 0, lastInsertRowID: nil)
        writer.endExecute()
        let root = try JSONDocument(parsing: writer.finish()).root
        let result = root["results"]?.array?.map { $0["response"]?["result"] }.first
        let row = try XCTUnwrap(result??["rows"]?.array?.map { $0 }.first?.array)
        XCTAssertEqual(try row.map { try $0.withView { try SQLValue(decoding: $0) } }, values)
    }

    func testByteCountIsWhatIsWritten() {
        var writer = PipelineResponseWriter()
        let before = writer.byteCount
        writer.beginExecute()
        writer.beginStatement(columns: [])
        writer.appendRow([.blob([UInt8](repeating: 1, count: 3000))])
        XCTAssertGreaterThan(writer.byteCount, before + 4000)
        writer.abandonRequest()
        XCTAssertEqual(writer.byteCount, before)
        XCTAssertEqual(writer.byteCount + 2, writer.finish().count)
    }
}
