internal import Primitives

/// What the first 100 bytes of a database, and so of every image in frame sync, must hold.
///
/// Format: https://www.sqlite.org/fileformat2.html#the_database_header
enum HeaderRules {
    /// - Parameters:
    ///   - page: page 1.
    ///   - databaseSize: in pages, as the commit says.
    static func problems(of page: [UInt8], databaseSize: UInt32) -> [String] {
        guard page.starts(with: "SQLite format 3\0".utf8) else {
            return ["page 1 does not begin like a SQLite database"]
        }
        var problems: [String] = []
        func require(_ isRight: Bool, _ problem: @autoclosure () -> String) {
            if !isRight { problems.append(problem()) }
        }
        let size = page.bigEndian16(at: 16)
        require(size == pageSize, "the page size is \(size == 1 ? 65536 : size) bytes, not 4096")
        require(
            page[18] == 2 && page[19] == 2,
            "the format versions are \(page[18]) and \(page[19]), not 2 and 2 (WAL)")
        require(page[20] == 0, "\(page[20]) bytes of each page are reserved; replicas reserve none")
        require(
            page[21...23].elementsEqual([64, 32, 32]), "the payload fractions are not 64, 32, 32")
        // Clients take the size from here; 0 makes some of them panic.
        let stated = page.bigEndian32(at: 28)
        require(
            stated == databaseSize, "page 1 says \(stated) pages, the commit \(databaseSize)")
        let format = page.bigEndian32(at: 44)
        require(format <= 4, "the schema format \(format) is unknown")
        require(
            page.bigEndian32(at: 52) == 0 && page.bigEndian32(at: 64) == 0,
            "auto_vacuum is on; replicas need it off")
        let encoding = page.bigEndian32(at: 56)
        require(
            encoding == 1 || (encoding == 0 && hasEmptySchema(page)),
            "the text encoding is \(encodingName(encoding)); replicas hold UTF-8")
        return problems
    }

    /// SQLite writes the encoding with the first table.
    private static func hasEmptySchema(_ page: [UInt8]) -> Bool {
        page[100] == TreePage.Kind.tableLeaf.rawValue && page.bigEndian16(at: 103) == 0
    }

    private static func encodingName(_ number: UInt32) -> String {
        switch number {
        case 2: "UTF-16le"
        case 3: "UTF-16be"
        default: "\(number)"
        }
    }
}

extension [UInt8] {
    func bigEndian16(at offset: Int) -> Int { Int(self[offset]) << 8 | Int(self[offset + 1]) }

    func bigEndian32(at offset: Int) -> UInt32 {
        UInt32(self[offset]) << 24 | UInt32(self[offset + 1]) << 16
            | UInt32(self[offset + 2]) << 8 | UInt32(self[offset + 3])
    }
}
