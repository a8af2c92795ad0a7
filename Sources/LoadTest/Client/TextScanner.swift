internal import CLinux

/// Looks for a few bytes in a body that comes in pieces, without keeping it.
package struct TextScanner {
    private let wanted: [UInt8]
    /// The end of the piece before, one byte shorter than what is looked for.
    private var tail: [UInt8] = []
    package private(set) var isFound = false

    package init(_ wanted: StaticString) {
        self.wanted = wanted.withUTF8Buffer { unsafe Array($0) }
        tail.reserveCapacity(2 * self.wanted.count)
    }

    package mutating func receive(_ piece: Span<UInt8>) {
        guard !isFound, piece.count > 0 else { return }
        isFound = unsafe piece.withUnsafeBufferPointer { bytes in
            unsafe wanted.withUnsafeBufferPointer {
                unsafe clinux_contains(bytes.baseAddress, bytes.count, $0.baseAddress, $0.count)
            }
        }
        guard !isFound else { return }
        if !tail.isEmpty { searchSeam(piece) }
        keepTail(of: piece)
    }

    package mutating func reset() {
        tail.removeAll(keepingCapacity: true)
        isFound = false
    }

    private mutating func searchSeam(_ piece: Span<UInt8>) {
        var seam = tail
        for index in 0..<min(piece.count, wanted.count - 1) { seam.append(piece[index]) }
        guard seam.count >= wanted.count else { return }
        for start in 0...seam.count - wanted.count
        where seam[start..<start + wanted.count].elementsEqual(wanted) { isFound = true }
    }

    private mutating func keepTail(of piece: Span<UInt8>) {
        for index in max(0, piece.count - wanted.count + 1)..<piece.count {
            tail.append(piece[index])
        }
        tail.removeFirst(max(0, tail.count - wanted.count + 1))
    }
}
