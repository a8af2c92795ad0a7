package import Primitives

/// Writes the body of a cursor's answer while its batch runs: lines of JSON, first the baton, then
/// entries in the order in which the steps were carried out.
///
/// Calls follow this grammar; a call out of order is our bug and traps:
///
/// ```
/// answer    = beginBatch (statement | skipStep | failStep)* endBatch finish
/// statement = beginStatement (beginRow append* endRow)* endStatement
/// ```
///
/// `failRequest` and `abandonRequest` may come anywhere inside the batch, `failStep` also inside a
/// statement: what was written of it is forgotten.
package struct CursorResponseWriter {
    private enum Place: Equatable {
        case outside, batch, statement, row
    }

    private var json = JSONWriter(reserving: 1024)
    private var place = Place.outside
    private let batonOffset: Int
    private let batchStart: JSONWriter.Mark
    private var statementStart: JSONWriter.Mark
    /// Of the next step, from 0.
    private var stepIndex = 0

    package init() {
        json.beginObject()
        json.key("baton")
        batonOffset = json.bytes.count
        json.null()
        json.key("base_url")
        json.null()
        json.endLine()
        batchStart = json.mark
        statementStart = json.mark
    }

    /// Bytes written so far.
    package var byteCount: Int { json.bytes.count }

    /// - Parameter baton: continues the stream in the next request; nil where the stream is closed.
    package consuming func finish(baton: String? = nil) -> [UInt8] {
        enter(.outside, from: .outside)
        if let baton { json.replaceNull(at: batonOffset, with: baton) }
        return json.bytes
    }

    private mutating func enter(_ next: Place, from expected: Place...) {
        precondition(expected.contains(place), "\(next) cannot follow \(place)")
        place = next
    }

    private mutating func beginEntry(_ type: StaticString) {
        json.beginObject()
        json.key("type")
        json.literal(type)
    }

    // MARK: the batch

    package mutating func beginBatch() {
        enter(.batch, from: .outside)
        stepIndex = 0
    }

    package mutating func endBatch() { enter(.outside, from: .batch) }

    /// Forgets the open batch, so that it can be answered from its beginning.
    package mutating func abandonRequest() {
        enter(.outside, from: .batch, .statement, .row)
        json.rollBack(to: batchStart)
    }

    /// Forgets the open batch and answers it with an error.
    package mutating func failRequest(_ failure: SQLFailure) {
        abandonRequest()
        beginEntry("error")
        json.key("error")
        json.append(failure)
        json.endLine()
    }

    /// Steps whose condition is false have no entry.
    package mutating func skipStep() {
        enter(.batch, from: .batch)
        stepIndex += 1
    }

    package mutating func failStep(_ failure: SQLFailure) {
        if place != .batch { json.rollBack(to: statementStart) }
        enter(.batch, from: .batch, .statement, .row)
        beginEntry("step_error")
        json.key("step")
        json.integer(stepIndex)
        json.key("error")
        json.append(failure)
        json.endLine()
        stepIndex += 1
    }

    // MARK: statements

    package mutating func beginStatement(columns: [ResultColumn]) {
        enter(.statement, from: .batch)
        statementStart = json.mark
        beginEntry("step_begin")
        json.key("step")
        json.integer(stepIndex)
        json.append(columns: columns)
        json.endLine()
    }

    package mutating func endStatement(affectedRowCount: UInt64, lastInsertRowID: Int64?) {
        enter(.batch, from: .statement)
        beginEntry("step_end")
        json.append(affectedRowCount: affectedRowCount, lastInsertRowID: lastInsertRowID)
        json.endLine()
        stepIndex += 1
    }

    package mutating func beginRow() {
        enter(.row, from: .statement)
        beginEntry("row")
        json.key("row")
        json.beginArray()
    }

    package mutating func endRow() {
        enter(.statement, from: .row)
        json.endArray()
        json.endLine()
    }

    // MARK: values

    package mutating func append(_ value: SQLValue) { json.append(value) }
    package mutating func appendNull() { json.appendNull() }
    package mutating func append(_ integer: Int64) { json.append(integer) }
    package mutating func append(_ float: Double) { json.append(float) }
    package mutating func appendText(_ text: UnsafeRawBufferPointer) {
        unsafe json.appendText(text)
    }
    package mutating func appendBlob(_ blob: UnsafeRawBufferPointer) {
        unsafe json.appendBlob(blob)
    }
}
