internal import Primitives

/// A frame of SQLite's WAL, as frame sync exchanges it.
package struct WALFrame: Sendable, Equatable {
    package let page: UInt32
    /// In pages, after the commit that this frame ends; 0 if it ends none.
    package let databaseSize: UInt32
    /// 4096 bytes.
    package let content: [UInt8]

    package init(page: UInt32, databaseSize: UInt32, content: [UInt8]) {
        precondition(content.count == pageSize, "a frame holds one page")
        self.page = page
        self.databaseSize = databaseSize
        self.content = content
    }

    /// Reads one from its 4120 bytes; salts and checksums are not looked at.
    package init(wire bytes: ArraySlice<UInt8>) {
        precondition(bytes.count == WALScanner.frameSize, "a frame has 4120 bytes")
        func word(_ offset: Int) -> UInt32 {
            bytes.dropFirst(offset).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        }
        self.init(
            page: word(0), databaseSize: word(4),
            content: Array(bytes.dropFirst(WALScanner.frameHeaderSize)))
    }
}
