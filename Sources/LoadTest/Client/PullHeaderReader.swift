package import WireProtocol

/// Takes the header off the front of a pull's answer, however its bytes are cut, and looks at
/// nothing behind it.
package struct PullHeaderReader {
    /// More than any header has.
    private static let maximumSize = 16 * 1024

    private var bytes: [UInt8] = []
    private var isDone = false
    /// Nil until it is complete, and for ever if it is malformed.
    package private(set) var header: PullResponseHeader?

    package init() {}

    package mutating func receive(_ piece: Span<UInt8>) {
        guard !isDone else { return }
        var index = 0
        while index < piece.count {
            bytes.append(piece[index])
            index += 1
            if let size = completeSize {
                if bytes.count == size { return decode() }
                guard size <= Self.maximumSize else {
                    isDone = true
                    return
                }
            } else if bytes.count > 4 {
                isDone = true
                return
            }
        }
    }

    package mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
        isDone = false
        header = nil
    }

    /// Of the length and the message behind it; nil while the length is not complete.
    private var completeSize: Int? {
        var size = 0
        for (index, byte) in bytes.prefix(4).enumerated() {
            size |= Int(byte & 0x7F) << (7 * index)
            if byte < 0x80 { return index + 1 + size }
        }
        return nil
    }

    private mutating func decode() {
        isDone = true
        var decoder = PullResponseDecoder()
        if case .header(let header)? = try? decoder.decode(bytes).first { self.header = header }
    }
}
