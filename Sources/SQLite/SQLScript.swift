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
}
