/// A page of a b-tree, read with suspicion: it may hold anything.
///
/// Format: https://www.sqlite.org/fileformat2.html#b_tree_pages
struct TreePage {
    enum Kind: UInt8 {
        case indexInterior = 2
        case tableInterior = 5
        case indexLeaf = 10
        case tableLeaf = 13
    }

    struct Cell {
        /// Where it lies in the page.
        var range: Range<Int>
        /// 0 in a leaf.
        var child: UInt32 = 0
        /// The key in a tree of a table.
        var rowID: Int64 = 0
        /// In bytes; none in the interior of a table.
        var payloadSize = 0
        /// The part of the payload in this page.
        var local = 0..<0
        /// Where the rest of the payload begins; 0 if there is none.
        var overflow: UInt32 = 0
    }

    let number: UInt32
    let bytes: [UInt8]
    let kind: Kind
    let cellCount: Int
    /// Where the page's header begins.
    private let header: Int

    init(number: UInt32, bytes: [UInt8]) throws(ImageCheckStop) {
        self.number = number
        self.bytes = bytes
        header = number == 1 ? 100 : 0
        guard let kind = Kind(rawValue: bytes[header]) else {
            throw .fault("page \(number) is not a page of a b-tree")
        }
        self.kind = kind
        cellCount = bytes.bigEndian16(at: header + 3)
        guard header + 12 + 2 * cellCount <= bytes.count else {
            throw .fault("page \(number) has too many cells")
        }
    }

    var isLeaf: Bool { kind == .tableLeaf || kind == .indexLeaf }
    var isTable: Bool { kind == .tableLeaf || kind == .tableInterior }

    private var pointersStart: Int { header + (isLeaf ? 8 : 12) }
    private var pointersEnd: Int { pointersStart + 2 * cellCount }

    private func offset(ofCell index: Int) throws(ImageCheckStop) -> Int {
        let offset = bytes.bigEndian16(at: pointersStart + 2 * index)
        guard offset >= pointersEnd, offset <= bytes.count - 4 else {
            throw .fault("cell \(index) of page \(number) is out of its bounds")
        }
        return offset
    }

    /// The children of an interior page, from left to right.
    func children() throws(ImageCheckStop) -> [UInt32] {
        var children: [UInt32] = []
        children.reserveCapacity(cellCount + 1)
        for index in 0..<cellCount {
            children.append(bytes.bigEndian32(at: try offset(ofCell: index)))
        }
        children.append(bytes.bigEndian32(at: header + 8))
        return children
    }

    func cell(_ index: Int) throws(ImageCheckStop) -> Cell {
        let start = try offset(ofCell: index)
        var position = start
        var cell = Cell(range: start..<start)
        if !isLeaf {
            cell.child = bytes.bigEndian32(at: position)
            position += 4
        }
        if kind != .tableInterior { cell.payloadSize = Int(clamping: try varint(&position)) }
        if isTable { cell.rowID = Int64(bitPattern: try varint(&position)) }
        if kind != .tableInterior {
            guard cell.payloadSize <= Int(Int32.max) else { throw outside(index) }
            let local = Self.localSize(payload: cell.payloadSize, isTable: isTable)
            cell.local = position..<position + local
            position += local
            if local < cell.payloadSize {
                guard position + 4 <= bytes.count else { throw outside(index) }
                cell.overflow = bytes.bigEndian32(at: position)
                position += 4
            }
        }
        // A cell takes at least four bytes, so that it can become a free block.
        position = max(position, start + 4)
        guard position <= bytes.count else { throw outside(index) }
        cell.range = start..<position
        return cell
    }

    private func outside(_ index: Int) -> ImageCheckStop {
        .fault("cell \(index) of page \(number) is larger than it can be")
    }

    private func varint(_ position: inout Int) throws(ImageCheckStop) -> UInt64 {
        guard let value = bytes.varint(at: &position) else {
            throw .fault("a cell of page \(number) is cut off")
        }
        return value
    }

    /// How much of a payload stays in the page; the rest goes to overflow pages.
    static func localSize(payload: Int, isTable: Bool) -> Int {
        let usable = 4096
        let maximum = isTable ? usable - 35 : (usable - 12) * 64 / 255 - 23
        guard payload > maximum else { return payload }
        let minimum = (usable - 12) * 32 / 255 - 23
        let wanted = minimum + (payload - minimum) % (usable - 4)
        return wanted <= maximum ? wanted : minimum
    }

    // MARK: layout

    /// The cells, if they and the free blocks fill the page as they must: none overlaps another,
    /// and the header counts the bytes between them.
    func checkedCells() throws(ImageCheckStop) -> [Cell] {
        let stated = bytes.bigEndian16(at: header + 5)
        let contentStart = stated == 0 ? 65536 : stated
        guard contentStart >= pointersEnd, contentStart <= bytes.count else {
            throw .fault("the content of page \(number) begins where it cannot")
        }
        var cells: [Cell] = []
        cells.reserveCapacity(cellCount)
        var use = ByteMap()
        for index in 0..<cellCount {
            let cell = try cell(index)
            guard cell.range.lowerBound >= contentStart, use.take(cell.range) else {
                throw .fault("cells of page \(number) overlap")
            }
            cells.append(cell)
        }
        try takeFreeBlocks(&use)
        let fragments = bytes.count - contentStart - use.count
        guard fragments == Int(bytes[header + 7]) else {
            throw .fault("the free bytes of page \(number) are miscounted")
        }
        return cells
    }

    /// Sees that the types in a record's header fill the record, which `quick_check` does not. A
    /// header that goes on in overflow pages is not read.
    ///
    /// - Parameter cell: has a payload.
    func checkRecord(of cell: Cell) throws(ImageCheckStop) {
        var position = cell.local.lowerBound
        let size = Int(clamping: try varint(&position))
        guard size <= cell.payloadSize else { throw recordFault }
        let end = cell.local.lowerBound + size
        guard end <= cell.local.upperBound else { return }
        var content = size
        while position < end {
            guard let length = RecordFormat.length(ofType: try varint(&position)),
                length <= cell.payloadSize
            else { throw recordFault }
            content += length
        }
        guard position == end, content == cell.payloadSize else { throw recordFault }
    }

    private var recordFault: ImageCheckStop { .fault("a record in page \(number) is damaged") }

    private func takeFreeBlocks(_ use: inout ByteMap) throws(ImageCheckStop) {
        var block = bytes.bigEndian16(at: header + 1)
        while block != 0 {
            guard block >= pointersEnd, block <= bytes.count - 4 else { throw freeBlockFault }
            let (next, size) = (
                bytes.bigEndian16(at: block), bytes.bigEndian16(at: block + 2)
            )
            guard size >= 4, block + size <= bytes.count, next == 0 || next > block,
                use.take(block..<block + size)
            else { throw freeBlockFault }
            block = next
        }
    }

    private var freeBlockFault: ImageCheckStop {
        .fault("the free blocks of page \(number) are damaged")
    }
}

/// Which bytes of a page are in use.
private struct ByteMap {
    private var words = InlineArray<64, UInt64>(repeating: 0)
    private(set) var count = 0

    /// False if one of them is taken already.
    mutating func take(_ range: Range<Int>) -> Bool {
        count += range.count
        var start = range.lowerBound
        while start < range.upperBound {
            let (word, bit) = (start / 64, start % 64)
            let length = min(64 - bit, range.upperBound - start)
            let mask = (length == 64 ? UInt64.max : (1 << UInt64(length)) - 1) << UInt64(bit)
            guard words[word] & mask == 0 else { return false }
            words[word] |= mask
            start += length
        }
        return true
    }
}

/// https://www.sqlite.org/fileformat2.html#record_format
enum RecordFormat {
    /// How many bytes a value of a serial type takes; nil for the reserved types.
    static func length(ofType type: UInt64) -> Int? {
        switch type {
        case 0, 8, 9: 0
        case 1...4: Int(type)
        case 5: 6
        case 6, 7: 8
        case 12...: Int(clamping: (type - 12) / 2)
        default: nil
        }
    }
}

extension [UInt8] {
    /// SQLite's variable-length integer of one to nine bytes; nil where the bytes run out.
    func varint(at position: inout Int) -> UInt64? {
        if position < endIndex, self[position] < 0x80 {
            position += 1
            return UInt64(self[position - 1])
        }
        var value: UInt64 = 0
        for index in 0..<9 {
            guard position < endIndex else { return nil }
            let byte = self[position]
            position += 1
            if index == 8 { return value << 8 | UInt64(byte) }
            value = value << 7 | UInt64(byte & 0x7F)
            if byte < 0x80 { return value }
        }
        return value
    }
}
