internal import CSimdJSON
internal import Glibc

/// A value in a `JSONDocument` that does not keep the document alive: a body has hundreds of
/// thousands of them, and counting references would take longer than reading them. Decoders of
/// this module get it inside of `JSONElement.withView` and return nothing that holds one; whoever
/// keeps a value takes a `JSONElement`.
@safe struct JSONView {
    // SAFETY: points into a document that the `JSONElement` around this keeps alive.
    let element: csimdjson_element

    init(_ element: csimdjson_element) { unsafe self.element = element }

    var kind: JSONElement.Kind {
        switch unsafe csimdjson_get_kind(element) {
        case CSIMDJSON_NULL: .null
        case CSIMDJSON_BOOL: .bool
        case CSIMDJSON_STRING: .string
        case CSIMDJSON_ARRAY: .array
        case CSIMDJSON_OBJECT: .object
        default: .number
        }
    }

    var isNull: Bool { unsafe csimdjson_get_kind(element) == CSIMDJSON_NULL }

    var bool: Bool? {
        var value = false
        return unsafe csimdjson_get_bool(element, &value) ? value : nil
    }

    var int64: Int64? {
        var value: Int64 = 0
        return unsafe csimdjson_get_int64(element, &value) ? value : nil
    }

    var double: Double? {
        var value = 0.0
        return unsafe csimdjson_get_double(element, &value) ? value : nil
    }

    /// The bytes of a string.
    var utf8: UnsafeRawBufferPointer? {
        var bytes: UnsafePointer<CChar>?
        var length = 0
        guard unsafe csimdjson_get_string(element, &bytes, &length) else { return nil }
        return unsafe UnsafeRawBufferPointer(start: bytes, count: length)
    }

    var string: String? { unsafe utf8.map { unsafe String(decoding: $0, as: UTF8.self) } }

    func equals(_ text: StaticString) -> Bool {
        guard let bytes = unsafe utf8 else { return false }
        return unsafe Self.isEqual(bytes, text)
    }

    static func isEqual(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        unsafe bytes.count == text.utf8CodeUnitCount
            && (bytes.isEmpty || memcmp(bytes.baseAddress!, text.utf8Start, bytes.count) == 0)
    }

    subscript(_ key: StaticString) -> JSONView? {
        var value = unsafe csimdjson_element()
        let isFound = key.withUTF8Buffer { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) {
                unsafe csimdjson_find(element, $0.baseAddress, $0.count, &value)
            }
        }
        return unsafe isFound ? JSONView(value) : nil
    }
}
