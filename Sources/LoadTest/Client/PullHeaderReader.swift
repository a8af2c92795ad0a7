package import WireProtocol

/// Takes the header off the front of a pull's answer, however its bytes are cut, and looks at
/// nothing behind it.
package struct PullHeaderReader {
    /// More than any header has.
    private static let maximumSize = 16 * 1024

    private var bytes: [UInt8] = []
    /// Of the length and the message behind it; nil while the length is not complete.
    private var size: Int?
    private var isDone = false
    /// The header's message is complete.
    package private(set) var isComplete = false

    package init() {}

    package mutating func receive(_ piece: Span<UInt8>) {
        var index = 0
        while !isDone, index < piece.count {
            bytes.append(piece[index])
            index += 1
            if size == nil { size = Self.completeSize(bytes) }
            if let size {
                isComplete = bytes.count == size
                isDone = isComplete || size > Self.maximumSize
            } else {
                isDone = bytes.count >= 4
            }
        }
    }

    package mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
        size = nil
        isDone = false
        isComplete = false
    }

    /// The message behind its length, as far as it came: headers of the same revision are equal.
    package var message: [UInt8] { bytes }

    /// Nil until it is complete, and for ever if it is malformed.
    package var header: PullResponseHeader? {
        guard isComplete else { return nil }
        var decoder = PullResponseDecoder()
        guard case .header(let header)? = try? decoder.decode(bytes).first else { return nil }
        return header
    }

    private static func completeSize(_ bytes: [UInt8]) -> Int? {
        var size = 0
        for (index, byte) in bytes.prefix(3).enumerated() {
            size |= Int(byte & 0x7F) << (7 * index)
            if byte < 0x80 { return index + 1 + size }
        }
        return nil
    }
}
