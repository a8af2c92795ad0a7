package import Primitives

/// Writes the body of a pipeline's answer while its statements run, so that no row is held twice.
///
/// Calls follow this grammar; a call out of order is our bug and traps:
///
/// ```
/// answer    = request* finish
/// request   = beginExecute statement endExecute
///           | beginBatch (statement | skipStep | failStep)* endBatch
///           | appendDescription | appendAutocommit | appendDone | appendFailure
/// statement = beginStatement (beginRow append* endRow)* endStatement
/// ```
///
/// `failRequest` and `abandonRequest` may come anywhere inside a request, `failStep` also inside
/// the statement of a step: what was written of it is forgotten. Limits are the caller's: it reads
/// `byteCount` between rows.
package struct PipelineResponseWriter {
    /// Requests whose answer says no more than that they were carried out.
    package enum Acknowledgement: Sendable {
        case sequence, storeSQL, closeSQL, close
    }

    /// One place, or the places from which another one can be entered.
    private struct Place: OptionSet {
        let rawValue: UInt8

        static let betweenRequests = Place(rawValue: 1)
        static let execute = Place(rawValue: 2)
        static let executed = Place(rawValue: 4)
        static let batch = Place(rawValue: 8)
        static let statement = Place(rawValue: 16)
        static let row = Place(rawValue: 32)
    }

    private var json: JSONWriter
    private var place = Place.betweenRequests
    private var requestStart: JSONWriter.Mark
    /// Where the open statement began, and whether it is a step of a batch.
    private var statementStart: JSONWriter.Mark
    private var isInBatch = false
    /// One for each step of the open batch so far; written at its end.
    private var stepFailures: [SQLFailure?] = []

    /// Where the baton goes, in bytes from the start.
    private let batonOffset: Int

    package init() {
        json = JSONWriter(reserving: 1024)
        json.beginObject()
        json.key("baton")
        batonOffset = json.bytes.count
        json.null()
        json.key("base_url")
        json.null()
        json.key("results")
        json.beginArray()
        requestStart = json.mark
        statementStart = json.mark
    }

    /// Bytes written so far.
    package var byteCount: Int { json.bytes.count }

    /// - Parameter baton: continues the stream in the next request; nil where the stream is closed.
    ///   It is known only at the end, and clients expect it at the beginning.
    package consuming func finish(baton: String? = nil) -> [UInt8] {
        enter(.betweenRequests, from: .betweenRequests)
        json.endArray()
        json.endObject()
        if let baton { json.replaceNull(at: batonOffset, with: baton) }
        return json.bytes
    }

    private mutating func enter(_ next: Place, from expected: Place) {
        precondition(expected.contains(place), "\(next) cannot follow \(place)")
        place = next
    }
}

// MARK: - Requests

extension PipelineResponseWriter {
    package mutating func beginExecute() {
        beginResponse("execute", place: .execute)
        json.key("result")
    }

    package mutating func endExecute() {
        enter(.betweenRequests, from: .executed)
        endResponse()
    }

    package mutating func beginBatch() {
        beginResponse("batch", place: .batch)
        isInBatch = true
        stepFailures = []
        json.key("result")
        json.beginObject()
        json.key("step_results")
        json.beginArray()
    }

    package mutating func endBatch() {
        enter(.betweenRequests, from: .batch)
        json.endArray()
        json.key("step_errors")
        json.beginArray()
        for failure in stepFailures {
            if let failure { json.append(failure) } else { json.null() }
        }
        json.endArray()
        json.endObject()
        isInBatch = false
        endResponse()
    }

    package mutating func appendDescription(_ description: StatementDescription) {
        beginResponse("describe", place: .executed)
        json.key("result")
        json.beginObject()
        json.key("params")
        json.beginArray()
        for name in description.parameterNames {
            json.beginObject()
            json.key("name")
            json.string(orNull: name)
            json.endObject()
        }
        json.endArray()
        json.append(columns: description.columns)
        json.key("is_explain")
        json.bool(description.isExplain)
        json.key("is_readonly")
        json.bool(description.isReadOnly)
        json.endObject()
        endExecute()
    }

    package mutating func appendAutocommit(_ isAutocommit: Bool) {
        beginResponse("get_autocommit", place: .executed)
        json.key("is_autocommit")
        json.bool(isAutocommit)
        endExecute()
    }

    package mutating func appendDone(_ request: Acknowledgement) {
        let type: StaticString =
            switch request {
            case .sequence: "sequence"
            case .storeSQL: "store_sql"
            case .closeSQL: "close_sql"
            case .close: "close"
            }
        beginResponse(type, place: .executed)
        endExecute()
    }

    /// Answers a request with an error instead of a response.
    package mutating func appendFailure(_ failure: SQLFailure) {
        enter(.betweenRequests, from: .betweenRequests)
        json.beginObject()
        json.key("type")
        json.literal("error")
        json.key("error")
        json.append(failure)
        json.endObject()
    }

    /// Forgets the open request and answers it with an error.
    package mutating func failRequest(_ failure: SQLFailure) {
        abandonRequest()
        appendFailure(failure)
    }

    /// Forgets the open request, so that it can be answered from its beginning.
    package mutating func abandonRequest() {
        enter(.betweenRequests, from: [.execute, .executed, .batch, .statement, .row])
        json.rollBack(to: requestStart)
        isInBatch = false
    }

    private mutating func beginResponse(_ type: StaticString, place next: Place) {
        enter(next, from: .betweenRequests)
        requestStart = json.mark
        json.beginObject()
        json.key("type")
        json.literal("ok")
        json.key("response")
        json.beginObject()
        json.key("type")
        json.literal(type)
    }

    private mutating func endResponse() {
        json.endObject()
        json.endObject()
    }
}

// MARK: - Statements

extension PipelineResponseWriter {
    package mutating func beginStatement(columns: [ResultColumn]) {
        enter(.statement, from: isInBatch ? .batch : .execute)
        statementStart = json.mark
        // Most statements of a push have no columns.
        guard !columns.isEmpty else { return json.beginObject(opening: #"{"cols":[],"rows":["#) }
        json.beginObject()
        json.append(columns: columns)
        json.key("rows")
        json.beginArray()
    }

    package mutating func endStatement(affectedRowCount: UInt64, lastInsertRowID: Int64?) {
        enter(isInBatch ? .batch : .executed, from: .statement)
        json.endRows(affectedRowCount: affectedRowCount, lastInsertRowID: lastInsertRowID)
        json.bridge(#","replication_index":null"#)
        json.endObject()
        if isInBatch { stepFailures.append(nil) }
    }

    /// Answers the next step, whose condition is false.
    package mutating func skipStep() {
        enter(.batch, from: .batch)
        json.null()
        stepFailures.append(nil)
    }

    /// Answers the open step with an error; or the next one, where none is open.
    package mutating func failStep(_ failure: SQLFailure) {
        precondition(isInBatch, "a step fails in a batch only")
        if place != .batch { json.rollBack(to: statementStart) }
        enter(.batch, from: [.batch, .statement, .row])
        json.null()
        stepFailures.append(failure)
    }

    package mutating func beginRow() {
        enter(.row, from: .statement)
        json.beginArray()
    }

    package mutating func endRow() {
        enter(.statement, from: .row)
        json.endArray()
    }

    package mutating func appendRow(_ values: [SQLValue]) {
        beginRow()
        for value in values { append(value) }
        endRow()
    }
}

// MARK: - Values

extension PipelineResponseWriter {
    package mutating func append(_ value: SQLValue) {
        checkIsInRow()
        json.append(value)
    }

    package mutating func appendNull() {
        checkIsInRow()
        json.appendNull()
    }

    package mutating func append(_ integer: Int64) {
        checkIsInRow()
        json.append(integer)
    }

    package mutating func append(_ float: Double) {
        checkIsInRow()
        json.append(float)
    }

    package mutating func appendText(_ text: UnsafeRawBufferPointer) {
        checkIsInRow()
        unsafe json.appendText(text)
    }

    package mutating func appendBlob(_ blob: UnsafeRawBufferPointer) {
        checkIsInRow()
        unsafe json.appendBlob(blob)
    }

    private func checkIsInRow() { precondition(place == .row, "a value belongs in a row") }
}
