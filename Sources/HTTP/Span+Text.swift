extension Span where Element == UInt8 {
    /// The bytes of `range` as text; what is not UTF-8 becomes U+FFFD.
    func string(_ range: Range<Int>) -> String {
        unsafe extracting(range).withUnsafeBufferPointer {
            unsafe String(decoding: $0, as: UTF8.self)
        }
    }

    /// `string` for ASCII, with `A` to `Z` in lower case, in one pass.
    func lowercasedString(_ range: Range<Int>) -> String {
        let source = extracting(range)
        return unsafe String(unsafeUninitializedCapacity: source.count) { buffer in
            for index in source.indices {
                unsafe buffer.initializeElement(
                    at: index, to: HTTPByteClass.lowercased(source[index]))
            }
            return source.count
        }
    }

    func hasPrefix(_ prefix: StaticString) -> Bool {
        guard count >= prefix.utf8CodeUnitCount else { return false }
        return prefix.withUTF8Buffer { expected in
            expected.indices.allSatisfy { unsafe self[$0] == expected[$0] }
        }
    }
}
