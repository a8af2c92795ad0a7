/// SQL text that may hold many statements, in the form that SQLite compiles without copying it.
///
/// SQLite copies text that does not end in NUL each time it compiles a statement from it, which
/// made a script of n statements cost n squared. So the bytes end in one NUL, which `count` leaves
/// out.
package struct SQLScript: Sendable {
    let bytes: [UInt8]

    package init(_ text: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 1)
        bytes.append(contentsOf: text.utf8)
        bytes.append(0)
        self.bytes = bytes
    }

    /// The length of the text, in bytes.
    package var count: Int { bytes.count - 1 }

    /// True if the text holds a NUL. SQLite takes it for the end of the text, so what follows would
    /// be dropped in silence; text from clients is refused instead.
    package var holdsNUL: Bool { bytes.dropLast().contains(0) }

    /// True if only white space, comments and semicolons follow `offset`.
    package func isBlank(from offset: Int) -> Bool {
        skippingBlanks(from: offset) == count
    }

    /// The first word after `offset` in upper-case letters, for example `VACUUM`; empty if
    /// anything but a letter comes first.
    package func keyword(from offset: Int) -> String {
        let start = skippingBlanks(from: offset)
        let letters = bytes[start...].prefix { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        return String(decoding: letters.map { $0 & ~0x20 }, as: UTF8.self)
    }

    /// The offset behind the first word of the text, which is `keyword`.
    package func end(of keyword: String) -> Int {
        skippingBlanks(from: 0) + keyword.utf8.count
    }

    /// Where the next token that is no semicolon starts. The characters are those of SQLite's tokenizer: a comment that
    /// is not closed runs to the end of the text.
    private func skippingBlanks(from start: Int) -> Int {
        var offset = start
        while offset < count {
            switch bytes[offset] {
            case 0x09, 0x0A, 0x0C, 0x0D, 0x20, UInt8(ascii: ";"): offset += 1
            case UInt8(ascii: "-") where bytes[offset + 1] == UInt8(ascii: "-"):
                offset = bytes[offset...].firstIndex(of: UInt8(ascii: "\n")) ?? count
            case UInt8(ascii: "/") where bytes[offset + 1] == UInt8(ascii: "*"):
                offset = endOfComment(from: offset + 2)
            default: return offset
            }
        }
        return count
    }

    private func endOfComment(from start: Int) -> Int {
        var offset = start
        while offset + 1 < count {
            if bytes[offset] == UInt8(ascii: "*"), bytes[offset + 1] == UInt8(ascii: "/") {
                return offset + 2
            }
            offset += 1
        }
        return count
    }
}
