internal import CSimdJSON

/// The values of a JSON array in order; keeps the document alive.
@safe package struct JSONArray: Sequence, IteratorProtocol {
    /// Exact up to 16,777,215.
    package let underestimatedCount: Int
    // SAFETY: points into `document`, which is alive as long as this is.
    private var cursor: csimdjson_cursor
    private let document: JSONDocument

    init(_ cursor: csimdjson_cursor, underestimatedCount: Int, in document: JSONDocument) {
        unsafe self.cursor = cursor
        self.underestimatedCount = underestimatedCount
        self.document = document
    }

    package mutating func next() -> JSONElement? {
        var element = unsafe csimdjson_element()
        guard unsafe csimdjson_next(&cursor, &element) else { return nil }
        return unsafe JSONElement(element, in: document)
    }
}
