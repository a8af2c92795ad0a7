internal import Primitives

/// Values in JSON, as clients send them.
///
/// | type | where the value is |
/// |---|---|
/// | null | |
/// | integer | `value`, a string of decimal digits; a number without fraction is accepted too |
/// | float | `value`, a number; null stands for an infinity or a NaN, which become NULL |
/// | text | `value`, a string |
/// | blob | `base64`, a string, with or without padding |
extension SQLValue {
    init(decoding element: JSONView) throws(PipelineDecodingError) {
        var (type, value, base64) = (JSONField(), JSONField(), JSONField())
        var fields = try JSONFields(of: element)
        while fields.next() {
            if fields.isNamed("value") {
                value.take(fields.value)
            } else if fields.isNamed("type") {
                type.take(fields.value)
            } else if fields.isNamed("base64") {
                base64.take(fields.value)
            }
        }
        guard type.isThere else { throw .invalid("the field \"type\" is missing") }
        let name = type.value
        if name?.equals("text") == true {
            self = .text(
                try value.required("value") { (value) throws(PipelineDecodingError) in
                    try value.decodeString()
                })
        } else if name?.equals("integer") == true {
            self = .integer(try value.required("value", Self.integer))
        } else if name?.equals("blob") == true {
            self = .blob(try base64.required("base64", Self.blob))
        } else if name?.equals("float") == true {
            guard value.isThere else { throw .invalid("the field \"value\" is missing") }
            self = try value.optional("value", Self.float).map(SQLValue.float) ?? .null
        } else if name?.equals("null") == true {
            self = .null
        } else {
            throw .invalid("expected a \"type\" of null, integer, float, text or blob")
        }
    }

    private static func integer(_ element: JSONView) throws(PipelineDecodingError) -> Int64 {
        if let text = unsafe element.utf8 {
            guard let value = unsafe Self.decimal(text) else {
                throw .invalid("expected a decimal integer of 64 bits")
            }
            return value
        }
        if let value = element.int64 { return value }
        guard let value = element.double.flatMap(Int64.init(exactly:)) else {
            throw .invalid("expected an integer of 64 bits, as a string")
        }
        return value
    }

    /// `-` and digits; nil for anything else and for what does not fit.
    private static func decimal(_ text: UnsafeRawBufferPointer) -> Int64? {
        let isNegative = unsafe text.first == UInt8(ascii: "-")
        let start = isNegative ? 1 : 0
        guard text.count > start else { return nil }
        // Counted below zero, where the smallest value has its place.
        var value: Int64 = 0
        for index in start..<text.count {
            let digit = unsafe text[index]
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, underflowed) = product.subtractingReportingOverflow(
                Int64(digit - UInt8(ascii: "0")))
            guard !overflowed && !underflowed else { return nil }
            value = sum
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    private static func float(_ element: JSONView) throws(PipelineDecodingError) -> Double {
        guard let value = element.double else { throw .invalid("expected a number or null") }
        return value
    }

    private static func blob(_ element: JSONView) throws(PipelineDecodingError) -> [UInt8] {
        guard let text = unsafe element.utf8 else { throw .invalid("expected a string") }
        guard let blob = unsafe Base64.decode(text) else { throw .invalid("expected base64") }
        return blob
    }
}
