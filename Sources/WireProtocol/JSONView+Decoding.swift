/// Reading messages: each function names the place of what it refuses. A field that is null counts
/// as absent, as the clients write those that they leave out.
extension JSONView {
    /// The value of a key; nil where it is absent or null.
    func optional(_ key: StaticString) -> JSONView? {
        guard let value = self[key], !value.isNull else { return nil }
        return value
    }

    /// Decodes a field that must be there.
    func required<Value>(
        _ key: StaticString, _ decode: (JSONView) throws(PipelineDecodingError) -> Value
    ) throws(PipelineDecodingError) -> Value {
        guard let value = try optional(key, decode) else {
            throw .invalid("the field \"\(key)\" is missing")
        }
        return value
    }

    func optional<Value>(
        _ key: StaticString, _ decode: (JSONView) throws(PipelineDecodingError) -> Value
    ) throws(PipelineDecodingError) -> Value? {
        guard let value = optional(key) else { return nil }
        do {
            return try decode(value)
        } catch {
            throw error.inside(key.description)
        }
    }

    /// Decodes each value of an array; `decode` gets its index too.
    func decodeArray<Value>(
        _ decode: (Int, JSONView) throws(PipelineDecodingError) -> Value
    ) throws(PipelineDecodingError) -> [Value] {
        guard let values else { throw .invalid("expected an array") }
        var decoded: [Value] = []
        if values.underestimatedCount > 0 { decoded.reserveCapacity(values.underestimatedCount) }
        for element in values {
            do {
                decoded.append(try decode(decoded.count, element))
            } catch {
                throw error.inside("[\(decoded.count)]")
            }
        }
        return decoded
    }

    func decodeString() throws(PipelineDecodingError) -> String {
        guard let string else { throw .invalid("expected a string") }
        return string
    }

    func decodeBool() throws(PipelineDecodingError) -> Bool {
        guard let bool else { throw .invalid("expected true or false") }
        return bool
    }

    func decodeInt32() throws(PipelineDecodingError) -> Int32 {
        guard let value = int64.flatMap(Int32.init(exactly:)) else {
            throw .invalid("expected an integer of 32 bits")
        }
        return value
    }

    func requireObject() throws(PipelineDecodingError) {
        guard kind == .object else { throw .invalid("expected an object") }
    }
}
