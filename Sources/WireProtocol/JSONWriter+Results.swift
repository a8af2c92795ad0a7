internal import Primitives

/// The shapes that answers to SQL are made of.
extension JSONWriter {
    mutating func append(_ failure: SQLFailure) {
        beginObject()
        key("message")
        string(failure.message)
        key("code")
        string(failure.code)
        endObject()
    }

    /// The member `cols`.
    mutating func append(columns: [ResultColumn]) {
        key("cols")
        beginArray()
        for column in columns {
            beginObject()
            key("name")
            string(column.name)
            key("decltype")
            string(orNull: column.declaredType)
            endObject()
        }
        endArray()
    }

    /// The members that follow a statement's rows. The row id is a string: clients fail on a number.
    mutating func append(affectedRowCount: UInt64, lastInsertRowID: Int64?) {
        key("affected_row_count")
        integer(affectedRowCount)
        key("last_insert_rowid")
        if let lastInsertRowID { decimalString(lastInsertRowID) } else { null() }
    }

    /// Closes the array of rows, and appends the same.
    mutating func endRows(affectedRowCount: UInt64, lastInsertRowID: Int64?) {
        bridge(#"],"affected_row_count":"#)
        integer(affectedRowCount)
        bridge(#","last_insert_rowid":"#)
        if let lastInsertRowID { decimalString(lastInsertRowID) } else { null() }
    }

    // MARK: values

    mutating func append(_ value: SQLValue) {
        switch value {
        case .null: appendNull()
        case .integer(let integer): append(integer)
        case .float(let float): append(float)
        case .text(let text):
            beginObject(opening: #"{"type":"text","value":"#)
            string(text)
            endObject()
        case .blob(let blob): unsafe blob.withUnsafeBytes { unsafe appendBlob($0) }
        }
    }

    mutating func appendNull() {
        beginObject(opening: #"{"type":"null""#)
        endObject()
    }

    mutating func append(_ integer: Int64) {
        beginObject(opening: #"{"type":"integer","value":"#)
        decimalString(integer)
        endObject()
    }

    /// Infinities and NaN leave as null, as they arrive.
    mutating func append(_ float: Double) {
        beginObject(opening: #"{"type":"float","value":"#)
        number(float)
        endObject()
    }

    /// UTF-8 straight from SQLite, which may hold anything; broken sequences become U+FFFD.
    mutating func appendText(_ text: UnsafeRawBufferPointer) {
        beginObject(opening: #"{"type":"text","value":"#)
        unsafe string(repairing: text)
        endObject()
    }

    mutating func appendBlob(_ blob: UnsafeRawBufferPointer) {
        beginObject(opening: #"{"type":"blob","base64":"#)
        unsafe base64String(blob)
        endObject()
    }
}
