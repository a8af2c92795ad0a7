/// A row of `sqlite_schema`, as it stands in the file.
struct SchemaRow: Hashable {
    let type: [UInt8]
    let name: [UInt8]
    let table: [UInt8]
    /// 0 for none.
    let root: UInt32
    let sql: [UInt8]?
}

/// Reads the schema without SQLite, which would parse all of it, and remember all of it, before
/// it could be asked how much there is.
struct SchemaRows {
    private(set) var rows: [SchemaRow] = []
    /// The pages that hold it.
    private(set) var pages: [UInt32] = []
    /// Bytes of rows left until there are too many.
    private var room: Int

    /// - Parameter maximumSize: of all rows together, in bytes.
    init(walk: inout ImageWalk, maximumSize: Int) throws(ImageCheckStop) {
        room = maximumSize
        let root = try walk.claimPage(1)
        guard root.isTable else { throw .fault("page 1 is not the schema's root") }
        try read(root, walk: &walk, depth: 1)
    }

    private mutating func read(
        _ page: TreePage, walk: inout ImageWalk, depth: Int
    ) throws(ImageCheckStop) {
        guard depth <= ImageWalk.maximumDepth else { throw .fault("the schema's tree is too deep") }
        pages.append(page.number)
        guard page.isLeaf else {
            _ = try page.checkedCells()
            for child in try page.children() {
                let childPage = try walk.claimPage(child)
                guard childPage.isTable, childPage.cellCount > 0 else {
                    throw .fault("page \(child) does not fit into its tree")
                }
                try read(childPage, walk: &walk, depth: depth + 1)
            }
            return
        }
        for cell in try page.checkedCells() {
            room -= cell.payloadSize
            guard room >= 0 else { throw .fault("the schema is too large") }
            var payload = Array(page.bytes[cell.local])
            var overflow = cell.overflow
            try walk.claimOverflow(of: cell) { bytes in
                pages.append(overflow)
                overflow = bytes.bigEndian32(at: 0)
                payload += bytes[4...].prefix(cell.payloadSize - payload.count)
            }
            guard let row = SchemaRow(record: payload) else {
                throw .fault("a row of the schema cannot be read")
            }
            rows.append(row)
        }
    }
}

extension SchemaRow {
    /// Decodes a record: https://www.sqlite.org/fileformat2.html#record_format
    init?(record: [UInt8]) {
        var position = 0
        guard let size = record.varint(at: &position), size <= record.count else { return nil }
        var content = Int(size)
        var columns: [ArraySlice<UInt8>?] = []
        while columns.count < 5 {
            guard position < Int(size), let type = record.varint(at: &position),
                let length = RecordFormat.length(ofType: type), length <= record.count - content
            else { return nil }
            // Text, NULL or a number; `number` reads the latter.
            columns.append(type == 0 ? nil : record[content..<content + length])
            if type >= 12 && type % 2 == 0 { return nil }
            // A whole number for the root, which is the fourth.
            if columns.count == 4 ? (type > 9 || type == 7) : (type != 0 && type < 13) {
                return nil
            }
            if type == 8 || type == 9 { columns[columns.count - 1] = [UInt8(type - 8)] }
            content += length
        }
        guard position == Int(size), let type = columns[0], let name = columns[1],
            let table = columns[2], let root = Self.number(columns[3] ?? [])
        else { return nil }
        self.init(
            type: Array(type), name: Array(name), table: Array(table), root: root,
            sql: columns[4].map { Array($0) })
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        guard (bytes.first ?? 0) < 0x80 else { return nil }
        return UInt32(exactly: bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}
