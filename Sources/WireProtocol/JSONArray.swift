internal import CSimdJSON

/// The values of a JSON array in order; keeps the document alive.
@safe package struct JSONArray: Sequence, IteratorProtocol {
    private var values: JSONValues
    private let document: JSONDocument

    init(_ values: JSONValues, in document: JSONDocument) {
        self.values = values
        self.document = document
    }

    /// Exact up to 16,777,215.
    package var underestimatedCount: Int { values.underestimatedCount }

    package mutating func next() -> JSONElement? {
        values.next().map { JSONElement($0, in: document) }
    }
}

/// The values of a JSON array in order, for the time that the document lives.
@safe struct JSONValues: Sequence, IteratorProtocol {
    /// Exact up to 16,777,215.
    let underestimatedCount: Int
    // SAFETY: points into the document that the `JSONView` is in.
    private var cursor: csimdjson_cursor

    fileprivate init(_ cursor: csimdjson_cursor, underestimatedCount: Int) {
        unsafe self.cursor = cursor
        self.underestimatedCount = underestimatedCount
    }

    mutating func next() -> JSONView? {
        var element = unsafe csimdjson_element()
        guard unsafe csimdjson_next(&cursor, &element) else { return nil }
        return unsafe JSONView(element)
    }
}

extension JSONView {
    /// The values of an array; nil for anything else.
    var values: JSONValues? {
        var count = 0
        var cursor = unsafe csimdjson_cursor()
        guard unsafe csimdjson_get_count(element, &count),
            unsafe csimdjson_begin_array(element, &cursor)
        else {
            return nil
        }
        return unsafe JSONValues(cursor, underestimatedCount: count)
    }
}
