internal import Glibc

/// Bytes on their way to a socket, in the arrays in which they were made.
///
/// Large arrays are neither copied nor joined; small ones that follow each other are, because one
/// piece more costs the kernel more than copying a few hundred bytes.
struct OutputQueue {
    /// How many pieces go into one system call: the framing and data of a few chunks.
    private static let piecesPerCall = 8
    private static let joinedSize = 4096

    private var pieces: [[UInt8]] = []
    /// Index of the first piece that is not sent, and how much of it is.
    private var first = 0
    private var sentOfFirst = 0
    /// Bytes that are not sent.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        count += bytes.count
        if let last = pieces.indices.last, pieces[last].count + bytes.count <= Self.joinedSize {
            pieces[last].append(contentsOf: bytes)
        } else {
            pieces.append(bytes)
        }
    }

    /// The first bytes of the queue went out.
    mutating func consume(_ sent: Int) {
        precondition(sent <= count)
        count -= sent
        guard count > 0 else { return removeAll() }
        var left = sent + sentOfFirst
        while left >= pieces[first].count {
            left -= pieces[first].count
            pieces[first] = []
            first += 1
        }
        sentOfFirst = left
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
    }

    /// Calls `body` with the first pieces, without copying them.
    func withPieces<Result>(_ body: (UnsafeMutableBufferPointer<iovec>) -> Result) -> Result {
        unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.piecesPerCall) {
            vector in
            unsafe collect(into: vector, filled: 0, body)
        }
    }

    /// One level of recursion a piece: that is how several arrays can be borrowed at a time.
    private func collect<Result>(
        into vector: UnsafeMutableBufferPointer<iovec>, filled: Int,
        _ body: (UnsafeMutableBufferPointer<iovec>) -> Result
    ) -> Result {
        let index = first + filled
        guard index < pieces.count, filled < vector.count else {
            return unsafe body(UnsafeMutableBufferPointer(rebasing: vector[..<filled]))
        }
        return unsafe pieces[index].withUnsafeBytes { bytes in
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
