internal import Glibc
internal import Primitives

/// Bytes on their way to a socket, in the arrays in which they were made, and parts of files, which
/// are sent from where they are.
///
/// Large arrays are neither copied nor joined; small ones that follow each other are, because one
/// piece more costs the kernel more than copying a few hundred bytes.
struct OutputQueue {
    private enum Piece {
        case bytes([UInt8])
        case region(FileRegion)

        var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .region(let region): region.count
            }
        }
    }

    /// How many pieces go into one system call: the framing and data of a few chunks.
    private static let piecesPerCall = 8
    private static let joinedSize = 4096

    private var pieces: [Piece] = []
    /// Index of the first piece that is not sent, and how much of it is.
    private var first = 0
    private var sentOfFirst = 0
    /// Bytes that are not sent.
    private(set) var count = 0
    /// Those of them that are in memory.
    private(set) var memoryCount = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        count += bytes.count
        memoryCount += bytes.count
        if let last = pieces.indices.last, case .bytes(var joined) = pieces[last],
            joined.count + bytes.count <= Self.joinedSize
        {
            pieces[last] = .bytes([])
            joined.append(contentsOf: bytes)
            pieces[last] = .bytes(joined)
        } else {
            pieces.append(.bytes(bytes))
        }
    }

    mutating func append(_ region: FileRegion) {
        count += region.count
        pieces.append(.region(region))
    }

    /// The first bytes of the queue went out.
    mutating func consume(_ sent: Int) {
        precondition(sent <= count)
        count -= sent
        guard count > 0 else { return removeAll() }
        var left = sent
        while left > 0 {
            let part = min(left, pieces[first].count - sentOfFirst)
            left -= part
            sentOfFirst += part
            if case .bytes = pieces[first] { memoryCount -= part }
            guard sentOfFirst == pieces[first].count else { break }
            pieces[first] = .bytes([])
            first += 1
            sentOfFirst = 0
        }
        if first > 16 {
            pieces.removeFirst(first)
            first = 0
        }
    }

    mutating func removeAll() {
        pieces.removeAll(keepingCapacity: pieces.capacity <= 16)
        first = 0
        sentOfFirst = 0
        count = 0
        memoryCount = 0
    }

    /// The part of a file that goes out next, and how much of it is sent; nil if bytes in memory
    /// do.
    var firstRegion: (region: FileRegion, sentCount: Int)? {
        guard count > 0, case .region(let region) = pieces[first] else { return nil }
        return (region, sentOfFirst)
    }

    /// Calls `body` with the first pieces that are in memory, without copying them, and whether a
    /// part of a file follows.
    func withPieces<Result>(
        _ body: (UnsafeMutableBufferPointer<iovec>, _ regionFollows: Bool) -> Result
    ) -> Result {
        unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.piecesPerCall) {
            vector in
            unsafe collect(into: vector, filled: 0, body)
        }
    }

    /// One level of recursion a piece: that is how several arrays can be borrowed at a time.
    private func collect<Result>(
        into vector: UnsafeMutableBufferPointer<iovec>, filled: Int,
        _ body: (UnsafeMutableBufferPointer<iovec>, _ regionFollows: Bool) -> Result
    ) -> Result {
        let index = first + filled
        guard index < pieces.count, filled < vector.count else {
            return unsafe body(UnsafeMutableBufferPointer(rebasing: vector[..<filled]), false)
        }
        guard case .bytes(let piece) = pieces[index] else {
            return unsafe body(UnsafeMutableBufferPointer(rebasing: vector[..<filled]), true)
        }
        return unsafe piece.withUnsafeBytes { bytes in
            let skipped = filled == 0 ? sentOfFirst : 0
            // SAFETY: sendmsg only reads through the pointer.
            unsafe vector.initializeElement(
                at: filled,
                to: iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress! + skipped),
                    iov_len: bytes.count - skipped))
            return unsafe collect(into: vector, filled: filled + 1, body)
        }
    }
}
