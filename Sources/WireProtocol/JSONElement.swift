internal import CSimdJSON
internal import Glibc

/// A value in a `JSONDocument`; keeps the document alive. Each accessor answers nil for a value of
/// another kind: text is never taken for a number, nor the other way round.
@safe package struct JSONElement {
    package enum Kind {
        case null, bool, number, string, array, object
    }

    // SAFETY: points into `document`, which is alive as long as this is.
    private let element: csimdjson_element
    private let document: JSONDocument

    init(_ element: csimdjson_element, in document: JSONDocument) {
        unsafe self.element = element
        self.document = document
    }

    package var kind: Kind {
        switch unsafe csimdjson_get_kind(element) {
        case CSIMDJSON_NULL: .null
        case CSIMDJSON_BOOL: .bool
        case CSIMDJSON_STRING: .string
        case CSIMDJSON_ARRAY: .array
        case CSIMDJSON_OBJECT: .object
        default: .number
        }
    }

    package var isNull: Bool { kind == .null }

    package var bool: Bool? {
        var value = false
        return unsafe csimdjson_get_bool(element, &value) ? value : nil
    }

    /// A number that was written without fraction and exponent and fits.
    package var int64: Int64? {
        var value: Int64 = 0
        return unsafe csimdjson_get_int64(element, &value) ? value : nil
    }

    /// Any number, rounded to the nearest double.
    package var double: Double? {
        var value = 0.0
        return unsafe csimdjson_get_double(element, &value) ? value : nil
    }

    /// May hold NUL characters.
    package var string: String? {
        unsafe withUTF8 { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of a string, for the time of the call.
    package func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        var bytes: UnsafePointer<CChar>?
        var length = 0
        guard unsafe csimdjson_get_string(element, &bytes, &length) else { return nil }
        defer { withExtendedLifetime(document) {} }
        return try unsafe body(UnsafeRawBufferPointer(start: bytes, count: length))
    }

    /// Whether this is the string `text`; allocates nothing.
    package func equals(_ text: StaticString) -> Bool {
        unsafe withUTF8 { bytes in
            unsafe bytes.count == text.utf8CodeUnitCount
                && (bytes.isEmpty || memcmp(bytes.baseAddress!, text.utf8Start, bytes.count) == 0)
        } ?? false
    }

    /// The value of an object's key; of the first, where the key is there twice. Nil without the
    /// key and for anything but an object.
    package subscript(_ key: StaticString) -> JSONElement? {
        var value = unsafe csimdjson_element()
        let isFound = key.withUTF8Buffer { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) {
                unsafe csimdjson_find(element, $0.baseAddress, $0.count, &value)
            }
        }
        return unsafe isFound ? JSONElement(value, in: document) : nil
    }

    /// The values of an array; nil for anything else.
    package var array: JSONArray? {
        var count = 0
        var cursor = unsafe csimdjson_cursor()
        guard unsafe csimdjson_get_count(element, &count),
            unsafe csimdjson_begin_array(element, &cursor)
        else {
            return nil
        }
        return unsafe JSONArray(cursor, underestimatedCount: count, in: document)
    }
}
