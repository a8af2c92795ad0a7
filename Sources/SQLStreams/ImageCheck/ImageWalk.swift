internal import SQLite

/// Walks the trees and the free list of a pushed image, and looks closely at what the push
/// changed: every pushed page of a tree, every page that a pushed one newly refers to, and their
/// overflow pages. Of the rest it reads interior pages, about one in a hundred, to find the
/// pushed pages and to see that nothing is used twice.
struct ImageWalk {
    /// SQLite's own bound for the depth of a tree.
    static let maximumDepth = 20

    struct Tree: Equatable {
        /// Pages of the tree, without overflow.
        var pageCount = 0
        var pushedCount = 0
    }

    let image: PushedImage
    private var claims: PageClaims
    /// Asked before each page is read.
    var isOutOfTime: () -> Bool = { false }

    init(image: PushedImage) {
        self.image = image
        claims = PageClaims(databaseSize: image.databaseSize)
    }

    // MARK: reading

    private func content(of page: UInt32) throws(ImageCheckStop) -> [UInt8] {
        if isOutOfTime() { throw .outOfTime }
        do throws(SQLiteError) {
            return try image.content(of: page)
        } catch {
            throw .source(error)
        }
    }

    mutating func claimPage(_ number: UInt32) throws(ImageCheckStop) -> TreePage {
        try claims.claim(number)
        return try TreePage(number: number, bytes: content(of: number))
    }

    /// Follows the overflow pages of a payload to their end.
    ///
    /// - Parameter take: gets the content of each, its next page's number included.
    mutating func claimOverflow(
        of cell: TreePage.Cell, _ take: ([UInt8]) -> Void = { _ in }
    ) throws(ImageCheckStop) {
        var rest = cell.payloadSize - cell.local.count
        var next = cell.overflow
        while rest > 0 {
            try claims.claim(next)
            let bytes = try content(of: next)
            take(bytes)
            next = bytes.bigEndian32(at: 0)
            rest -= bytes.count - 4
        }
        guard next == 0 || cell.overflow == 0 else {
            throw .fault("a list of overflow pages is longer than its payload")
        }
    }

    // MARK: trees

    /// - Parameters:
    ///   - isIndex: what the tree must be; nil where both are possible.
    ///   - isOfBase: the base has a tree of the same schema with this root.
    mutating func walkTree(
        root: UInt32, isIndex: Bool?, isOfBase: Bool
    ) throws(ImageCheckStop) -> Tree {
        var tree = Tree()
        let page = try claimPage(root)
        guard page.isLeaf || page.cellCount > 0 else {
            throw .fault("page \(root) is the root of a tree and has no cells")
        }
        if let isIndex, isIndex == page.isTable {
            throw .fault("page \(root) is the root of a tree of the wrong kind")
        }
        try visit(
            page, depth: 1, isOfBase: isOfBase, keys: Int64.min...Int64.max, tree: &tree)
        return tree
    }

    /// - Parameters:
    ///   - isOfBase: the base has a page of the same number in the same place of the same tree. If
    ///     it was not pushed, it and what is below it are as they were.
    ///   - keys: where the row ids of the page must lie.
    private mutating func visit(
        _ page: TreePage, depth: Int, isOfBase: Bool, keys: ClosedRange<Int64>, tree: inout Tree
    ) throws(ImageCheckStop) {
        guard depth <= Self.maximumDepth else {
            throw .fault("the tree around page \(page.number) is too deep")
        }
        let isPushed = image.isPushed(page.number)
        tree.pageCount += 1
        tree.pushedCount += isPushed ? 1 : 0
        let isChanged = isPushed || !isOfBase
        var ranges: [ClosedRange<Int64>] = []
        if isChanged {
            let cells = try page.checkedCells()
            ranges = try Self.childKeys(of: page, cells: cells, within: keys)
            for cell in cells where page.kind != .tableInterior {
                try page.checkRecord(of: cell)
                if cell.overflow != 0 { try claimOverflow(of: cell) }
            }
        }
        guard !page.isLeaf else { return }
        let children = try page.children()
        let known = isPushed && isOfBase ? try childrenInBase(of: page) : nil
        var areLeaves: Bool?
        for (index, child) in children.enumerated() {
            let isChildOfBase = isOfBase && known?.contains(child) != false
            if areLeaves == true, isChildOfBase, !image.isPushed(child) {
                try claims.claim(child)
                tree.pageCount += 1
                continue
            }
            let childPage = try claimPage(child)
            // Only a root may be empty.
            guard childPage.isTable == page.isTable, childPage.cellCount > 0,
                areLeaves ?? childPage.isLeaf == childPage.isLeaf
            else { throw .fault("page \(child) does not fit into its tree") }
            areLeaves = childPage.isLeaf
            try visit(
                childPage, depth: depth + 1, isOfBase: isChildOfBase,
                keys: isChanged && page.isTable ? ranges[index] : Int64.min...Int64.max,
                tree: &tree)
        }
    }

    /// What the base's page of the same number refers to.
    private func childrenInBase(of page: TreePage) throws(ImageCheckStop) -> Set<UInt32> {
        guard page.number <= image.base.databaseSize else { return [] }
        let bytes: [UInt8]
        do throws(SQLiteError) {
            bytes = try image.base.page(page.number)
        } catch {
            throw .source(error)
        }
        guard let old = try? TreePage(number: page.number, bytes: bytes),
            old.kind == page.kind, let children = try? old.children()
        else { return [] }
        return Set(children)
    }

    /// Sees that row ids ascend, and says where those of each child lie; nothing for an index,
    /// whose order only its collations know.
    private static func childKeys(
        of page: TreePage, cells: [TreePage.Cell], within keys: ClosedRange<Int64>
    ) throws(ImageCheckStop) -> [ClosedRange<Int64>] {
        guard page.isTable else { return [] }
        var ranges: [ClosedRange<Int64>] = []
        var start: Int64? = keys.lowerBound
        for cell in cells {
            guard let from = start, cell.rowID >= from, cell.rowID <= keys.upperBound else {
                throw .fault("the row ids of page \(page.number) are out of order")
            }
            ranges.append(from...cell.rowID)
            start = cell.rowID == .max ? nil : cell.rowID + 1
        }
        if !page.isLeaf {
            guard let start, start <= keys.upperBound else {
                throw .fault("the row ids of page \(page.number) are out of order")
            }
            ranges.append(start...keys.upperBound)
        }
        return ranges
    }

    // MARK: the free list

    /// - Parameter pageOne: its header says where the list begins and how long it is.
    mutating func walkFreeList(pageOne: [UInt8]) throws(ImageCheckStop) {
        var trunk = pageOne.bigEndian32(at: 32)
        let stated = Int(pageOne.bigEndian32(at: 36))
        var count = 0
        while trunk != 0 {
            try claims.claim(trunk)
            let bytes = try content(of: trunk)
            let leafCount = Int(bytes.bigEndian32(at: 4))
            guard leafCount <= bytes.count / 4 - 2 else {
                throw .fault("page \(trunk) of the free list has too many entries")
            }
            for index in 0..<leafCount {
                try claims.claim(bytes.bigEndian32(at: 8 + 4 * index))
            }
            count += leafCount + 1
            trunk = bytes.bigEndian32(at: 0)
        }
        guard count == stated else {
            throw .fault("the free list has \(count) pages, and page 1 says \(stated)")
        }
    }
}
