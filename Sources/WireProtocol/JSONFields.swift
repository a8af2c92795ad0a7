internal import CSimdJSON

/// The fields of an object in the order of the text, in one pass: looking each of them up by its
/// name would compare the names of all that come before.
@safe struct JSONFields {
    // SAFETY: points into the document that the `JSONView` is in.
    private var cursor: csimdjson_cursor
    private var field = unsafe csimdjson_field()

    init(of object: JSONView) throws(PipelineDecodingError) {
        var cursor = unsafe csimdjson_cursor()
        guard unsafe csimdjson_begin_object(object.element, &cursor) else {
            throw .invalid("expected an object")
        }
        unsafe self.cursor = cursor
    }

    /// Goes to the first field, then to the next one; false behind the last.
    mutating func next() -> Bool { unsafe csimdjson_next_field(&cursor, &field) }

    func isNamed(_ name: StaticString) -> Bool {
        unsafe JSONView.isEqual(
            UnsafeRawBufferPointer(start: field.key, count: field.key_length), name)
    }

    var value: JSONView { unsafe JSONView(field.value) }
}

/// One field that a decoder knows. The first of that name counts, even if it is null and another
/// one is not; null counts as absent, as the clients write those that they leave out.
struct JSONField {
    private(set) var value: JSONView?
    /// It is there, perhaps null.
    private(set) var isThere = false

    mutating func take(_ value: JSONView) {
        guard !isThere else { return }
        isThere = true
        if !value.isNull { self.value = value }
    }

    /// Decodes a field that must be there.
    func required<Value>(
        _ name: StaticString, _ decode: (JSONView) throws(PipelineDecodingError) -> Value
    ) throws(PipelineDecodingError) -> Value {
        guard let decoded = try optional(name, decode) else {
            throw .invalid("the field \"\(name)\" is missing")
        }
        return decoded
    }

    func optional<Value>(
        _ name: StaticString, _ decode: (JSONView) throws(PipelineDecodingError) -> Value
    ) throws(PipelineDecodingError) -> Value? {
        guard let value else { return nil }
        do { return try decode(value) } catch { throw error.inside(name.description) }
    }
}
