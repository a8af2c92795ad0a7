import Primitives
import XCTest

@testable import WireProtocol

final class CursorResponseWriterTests: XCTestCase {
    private static let failure = SQLFailure(message: "no such table: \"t\"", code: "SQLITE_ERROR")
    private static let failureText =
        #""error":{"message":"no such table: \"t\"","code":"SQLITE_ERROR"}}"#

    /// The lines of the answer, each of which is JSON.
    private func lines(
        baton: String? = nil, _ write: (inout CursorResponseWriter) -> Void
    ) throws -> [String] {
        var writer = CursorResponseWriter()
        write(&writer)
        let bytes = writer.finish(baton: baton)
        XCTAssertEqual(bytes.last, UInt8(ascii: "\n"))
        let lines = bytes.dropLast().split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for line in lines { XCTAssertNoThrow(try JSONDocument(parsing: Array(line))) }
        return lines.map { String(decoding: $0, as: UTF8.self) }
    }

    func testEveryKindOfEntry() throws {
        let lines = try lines(baton: "b1") { writer in
            writer.beginBatch()
            writer.beginStatement(columns: [
                ResultColumn(name: "a\n", declaredType: "TEXT"), ResultColumn(name: "b"),
            ])
            for value in ["line\nbreak", "\0"] {
                writer.beginRow()
                writer.append(.text(value))
                writer.append(.blob([255]))
                writer.endRow()
            }
            writer.endStatement(affectedRowCount: 2, lastInsertRowID: -3)
            writer.skipStep()
            writer.failStep(Self.failure)
            writer.beginStatement(columns: [])
            writer.endStatement(affectedRowCount: 0, lastInsertRowID: nil)
            writer.endBatch()
        }
        XCTAssertEqual(
            lines,
            [
                #"{"baton":"b1","base_url":null}"#,
                #"{"type":"step_begin","step":0,"cols":[{"name":"a\n","decltype":"TEXT"},"#
                    + #"{"name":"b","decltype":null}]}"#,
                #"{"type":"row","row":[{"type":"text","value":"line\nbreak"},"#
                    + #"{"type":"blob","base64":"/w"}]}"#,
                #"{"type":"row","row":[{"type":"text","value":"\u0000"},"#
                    + #"{"type":"blob","base64":"/w"}]}"#,
                #"{"type":"step_end","affected_row_count":2,"last_insert_rowid":"-3"}"#,
                #"{"type":"step_error","step":2,"# + Self.failureText,
                #"{"type":"step_begin","step":3,"cols":[]}"#,
                #"{"type":"step_end","affected_row_count":0,"last_insert_rowid":null}"#,
            ])
    }

    func testWhatIsForgotten() throws {
        func begin(_ writer: inout CursorResponseWriter) {
            writer.beginStatement(columns: [ResultColumn(name: "a")])
            writer.beginRow()
            writer.append(Int64(1))
        }
        XCTAssertEqual(
            try lines { writer in
                writer.beginBatch()
                begin(&writer)
                writer.failStep(Self.failure)
                writer.endBatch()
            },
            [
                #"{"baton":null,"base_url":null}"#,
                #"{"type":"step_error","step":0,"# + Self.failureText,
            ])
        XCTAssertEqual(
            try lines { writer in
                writer.beginBatch()
                writer.failStep(Self.failure)
                begin(&writer)
                writer.abandonRequest()
                writer.beginBatch()
                writer.skipStep()
                begin(&writer)
                writer.failRequest(Self.failure)
            },
            [
                #"{"baton":null,"base_url":null}"#,
                #"{"type":"error","# + Self.failureText,
            ])
    }

    func testRequests() throws {
        let body = #"{"baton":"b","batch":{"steps":[{"stmt":{"sql":"SELECT 1"}}]}}"#
        let request = try PipelineRequest(decoding: Array(body.utf8), as: .cursor)
        XCTAssertEqual(request.baton, "b")
        XCTAssertEqual(request.form, .cursor)
        XCTAssertEqual(
            request.requests,
            [.batch(Batch(steps: [.init(statement: Statement(text: SQLText(sql: "SELECT 1")))]))])
        for body in [
            "", "{}", "[]", #"{"batch":null}"#, #"{"batch":[]}"#, #"{"batch":{}}"#,
            #"{"requests":[]}"#, #"{"baton":1,"batch":{"steps":[]}}"#,
            #"{"batch":{"steps":[{"stmt":{"sql":"x"},"condition":{"type":"ok","step":0}}]}}"#,
        ] {
            XCTAssertThrowsError(
                try PipelineRequest(decoding: Array(body.utf8), as: .cursor), body)
        }
    }
}
