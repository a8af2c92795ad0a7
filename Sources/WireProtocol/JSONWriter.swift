/// Appends JSON text to bytes; puts the commas, and nothing else, where they belong.
///
/// `/` is never escaped, and integers and base64 hold no escapes: clients read these as borrowed
/// text and fail on a `\/`.
package struct JSONWriter {
    package private(set) var bytes: [UInt8]
    /// The next key or value follows another in the same object or array.
    private var needsComma = false

    package init(reserving capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// A place to return to, with everything written after it forgotten.
    package struct Mark {
        fileprivate let count: Int
        fileprivate let needsComma: Bool
    }

    package var mark: Mark { Mark(count: bytes.count, needsComma: needsComma) }

    package mutating func rollBack(to mark: Mark) {
        bytes.removeLast(bytes.count - mark.count)
        needsComma = mark.needsComma
    }

    /// Puts a string in the place of a null that was written as the value of a key.
    package mutating func replaceNull(at offset: Int, with text: String) {
        precondition(bytes[offset..<offset + 4].elementsEqual("null".utf8), "no null is here")
        var value = JSONWriter(reserving: text.utf8.count + 2)
        value.string(text)
        bytes.replaceSubrange(offset..<offset + 4, with: value.bytes)
    }

    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    /// Begins an object with `opening`, JSON up to the place of a value: one copy instead of many,
    /// for the objects that an answer holds by the million.
    package mutating func beginObject(opening: StaticString) {
        appendLiteral(opening, quoted: false)
        needsComma = false
    }
    /// Goes on with JSON from behind a value up to the place of another one, commas included.
    package mutating func bridge(_ text: StaticString) {
        needsComma = false
        appendLiteral(text, quoted: false)
    }
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    /// Ends an object and its line; the next one is no neighbour of it.
    package mutating func endLine() {
        endObject()
        bytes.append(UInt8(ascii: "\n"))
        needsComma = false
    }
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// `name` must need no escapes.
    package mutating func key(_ name: StaticString) {
        appendLiteral(name, quoted: true)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A string that needs no escapes.
    package mutating func literal(_ text: StaticString) {
        appendLiteral(text, quoted: true)
        needsComma = true
    }

    package mutating func null() { token("null") }
    package mutating func bool(_ value: Bool) { token(value ? "true" : "false") }

    /// A JSON number.
    package mutating func integer(_ value: some BinaryInteger) {
        separate()
        if let small = UInt8(exactly: value), small < 10 {
            bytes.append(UInt8(ascii: "0") + small)
        } else {
            bytes.append(contentsOf: String(value).utf8)
        }
        needsComma = true
    }

    /// The shortest text that reads back as the same double; null where it is not finite, which
    /// JSON cannot say.
    package mutating func number(_ value: Double) {
        guard value.isFinite else { return null() }
        separate()
        bytes.append(contentsOf: value.description.utf8)
        needsComma = true
    }

    /// A string of decimal digits, as 64-bit integers travel: many readers hold JSON numbers as
    /// doubles.
    package mutating func decimalString(_ value: Int64) {
        beginString()
        // From the last digit on; a sign and 19 digits are the most.
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { text in
            var (rest, start) = (value.magnitude, text.count)
            repeat {
                start -= 1
                unsafe text[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if value < 0 {
                start -= 1
                unsafe text[start] = UInt8(ascii: "-")
            }
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
        }
        endString()
    }

    package mutating func string(_ text: String) {
        beginString()
        var text = text
        text.withUTF8 { unsafe appendEscaped(UnsafeRawBufferPointer($0)) }
        endString()
    }

    package mutating func string(orNull text: String?) {
        if let text { string(text) } else { null() }
    }

    /// A string of UTF-8 that may be broken, as SQLite may hold it: each broken sequence becomes
    /// U+FFFD.
    package mutating func string(repairing text: UnsafeRawBufferPointer) {
        let codeUnits = unsafe text.bindMemory(to: UInt8.self)
        let isValid = unsafe (try? UTF8Span(validating: codeUnits.span)) != nil
        guard isValid else { return unsafe string(String(decoding: codeUnits, as: UTF8.self)) }
        beginString()
        unsafe appendEscaped(text)
        endString()
    }

    package mutating func base64String(_ blob: UnsafeRawBufferPointer) {
        beginString()
        unsafe Base64.encode(blob, into: &bytes)
        endString()
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func token(_ text: StaticString) {
        appendLiteral(text, quoted: false)
        needsComma = true
    }

    private mutating func appendLiteral(_ text: StaticString, quoted: Bool) {
        separate()
        if quoted { bytes.append(UInt8(ascii: "\"")) }
        unsafe bytes.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        if quoted { bytes.append(UInt8(ascii: "\"")) }
    }

    private mutating func beginString() {
        separate()
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func endString() {
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// Copies the stretches between characters that need escapes (RFC 8259, 7) whole.
    private mutating func appendEscaped(_ text: UnsafeRawBufferPointer) {
        var copied = 0
        for index in 0..<text.count {
            let byte = unsafe text[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                continue
            }
            unsafe bytes.append(contentsOf: text[copied..<index])
            appendEscape(of: byte)
            copied = index + 1
        }
        unsafe bytes.append(contentsOf: text[copied...])
    }

    private mutating func appendEscape(of byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
        default:
            let digits = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(digits[Int(byte >> 4)])
            bytes.append(digits[Int(byte & 15)])
        }
    }
}
