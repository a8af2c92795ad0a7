internal import Primitives

/// Checks every byte of a portable roaring bitmap, because CRoaring 0.2.66 does not: it bounds its
/// reads, but then trusts cardinalities, order and runs, and writes beyond buffers sized by them.
///
/// The format (github.com/RoaringBitmap/RoaringFormatSpec), all numbers little-endian:
///
/// | part | size in bytes |
/// |---|---|
/// | cookie: 12346; or 12347 with the number of containers - 1 in its upper half | 4 |
/// | with 12346: number of containers | 4 |
/// | with 12347: one bit a container, set for run containers | (containers + 7) / 8 |
/// | per container: key (upper 16 bits of its values), cardinality - 1 | 4 |
/// | per container: offset; left out with 12347 and fewer than 4 containers | 4 |
/// | array container (cardinality up to 4096): values | 2 each |
/// | bitset container: bits | 8192 |
/// | run container: number of runs, then first value and length - 1 of each | 2, 4 each |
struct RoaringLayout {
    private static let cookieWithoutRuns: UInt32 = 12346
    private static let cookieWithRuns: UInt32 = 12347
    private static let offsetThreshold = 4
    private static let largestArray = 4096
    private static let bitsetWords = 1024

    private let start: Int
    private var reader: ByteReader
    private var runFlags: [UInt8] = []
    private var cardinalities: [Int] = []
    /// Empty where the bitmap has none.
    private var offsets: [UInt32] = []

    /// Returns the number of values in the bitmap, and whether any are written as runs. Linear in
    /// `bytes`, not in that number.
    static func validate(
        _ bytes: ArraySlice<UInt8>
    ) throws(PageSelectorError) -> (count: UInt64, hasRuns: Bool) {
        var layout = RoaringLayout(start: bytes.startIndex, reader: ByteReader(bytes))
        try layout.readHeader()
        for index in layout.cardinalities.indices { try layout.readContainer(index) }
        guard layout.reader.remainingCount == 0 else {
            throw .trailingBytes(layout.reader.remainingCount)
        }
        return (
            layout.cardinalities.reduce(0) { $0 + UInt64($1) }, layout.runFlags.contains { $0 != 0 }
        )
    }

    private init(start: Int, reader: ByteReader) {
        self.start = start
        self.reader = reader
    }

    private mutating func read<Integer: FixedWidthInteger>(
        _ type: Integer.Type
    ) throws(PageSelectorError) -> Integer {
        guard let value = reader.readLittleEndian(type) else { throw .truncated }
        return value
    }

    private mutating func readHeader() throws(PageSelectorError) {
        let cookie = try read(UInt32.self)
        let count: Int
        let hasRuns = cookie & 0xFFFF == Self.cookieWithRuns
        if hasRuns {
            count = Int(cookie >> 16) + 1
            for _ in 0..<(count + 7) / 8 { runFlags.append(try read(UInt8.self)) }
        } else {
            guard cookie == Self.cookieWithoutRuns else { throw .notARoaringBitmap }
            count = Int(try read(UInt32.self))
            guard count <= 65536 else { throw .tooManyContainers }
        }
        guard reader.remainingCount >= count * 4 else { throw .truncated }
        cardinalities.reserveCapacity(count)
        var previousKey = -1
        for _ in 0..<count {
            let key = Int(try read(UInt16.self))
            guard key > previousKey else { throw .containersNotAscending }
            previousKey = key
            cardinalities.append(Int(try read(UInt16.self)) + 1)
        }
        if !hasRuns || count >= Self.offsetThreshold {
            for _ in 0..<count { offsets.append(try read(UInt32.self)) }
        }
    }

    private mutating func readContainer(_ index: Int) throws(PageSelectorError) {
        // CRoaring skips offsets, other readers follow them: they must agree.
        guard offsets.isEmpty || Int(offsets[index]) == reader.offset - start else {
            throw .wrongContainerOffset(container: index)
        }
        if !runFlags.isEmpty && runFlags[index / 8] & (1 << UInt8(index % 8)) != 0 {
            try readRuns(index)
        } else if cardinalities[index] <= Self.largestArray {
            try readArray(index)
        } else {
            try readBitset(index)
        }
    }

    private mutating func readArray(_ index: Int) throws(PageSelectorError) {
        var previous = -1
        for _ in 0..<cardinalities[index] {
            let value = Int(try read(UInt16.self))
            guard value > previous else { throw .valuesNotAscending(container: index) }
            previous = value
        }
    }

    private mutating func readBitset(_ index: Int) throws(PageSelectorError) {
        var count = 0
        for _ in 0..<Self.bitsetWords { count += try read(UInt64.self).nonzeroBitCount }
        guard count == cardinalities[index] else { throw .wrongCardinality(container: index) }
    }

    private mutating func readRuns(_ index: Int) throws(PageSelectorError) {
        var count = 0
        var previousLast = -1
        for _ in 0..<(try read(UInt16.self)) {
            let first = Int(try read(UInt16.self))
            let last = first + Int(try read(UInt16.self))
            guard first > previousLast, last <= 0xFFFF else {
                throw .valuesNotAscending(container: index)
            }
            count += last - first + 1
            previousLast = last
        }
        guard count == cardinalities[index] else { throw .wrongCardinality(container: index) }
    }
}
