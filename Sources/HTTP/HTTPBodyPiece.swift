package import Primitives

/// Part of a body on its way to the client: bytes, and parts of files, in order.
package struct HTTPBodyPiece: Sendable {
    package enum Part: Sendable {
        case bytes([UInt8])
        /// Sent from the file: it costs no memory, however slow the client is.
        case region(FileRegion)

        /// In bytes.
        package var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .region(let region): region.count
            }
        }
    }

    package let parts: [Part]
    /// In bytes.
    package let count: Int
    /// Nothing comes behind it, so that the source is not asked again, only closed. A source need
    /// not know.
    package let isLast: Bool

    package init(_ parts: [Part], isLast: Bool = false) {
        self.parts = parts
        self.isLast = isLast
        count = parts.reduce(0) { $0 + $1.count }
    }

    package static func bytes(_ bytes: [UInt8]) -> HTTPBodyPiece { HTTPBodyPiece([.bytes(bytes)]) }
}
