internal import Primitives

/// What must hold for the rows of a pushed schema before SQLite parses them.
///
/// SQLite takes an object from the text of its statement, and other programs, our own checks
/// included, from the columns beside it. A schema where the two differ is not one that SQL made.
enum SchemaRules {
    static func problems(of rows: [SchemaRow]) -> [String] {
        var problems: [String] = []
        var names: Set<[UInt8]> = []
        var roots: Set<UInt32> = [1]
        for row in rows {
            let name = String(decoding: row.name.prefix(200), as: UTF8.self)
            guard let kind = Kind(row) else {
                problems.append("the schema's entry for \(name) contradicts itself")
                continue
            }
            if kind == .virtualTable {
                problems.append("\(name) is a virtual table, which replicas cannot open")
                continue
            }
            // Triggers have names of their own.
            let key = (kind == .trigger ? [0] : []) + row.name.map(lowercase)
            if !names.insert(key).inserted {
                problems.append("the schema has two entries for \(name)")
            }
            if kind.hasRoot != (row.root != 0)
                || (row.root != 0 && !roots.insert(row.root).inserted)
            {
                problems.append("\(name) has no tree of its own")
            }
        }
        return problems
    }

    enum Kind {
        case table, virtualTable, index, view, trigger

        var hasRoot: Bool { self == .table || self == .index }

        /// Nil if the statement does not create what the row says.
        init?(_ row: SchemaRow) {
            guard let sql = row.sql else {
                // The index of a UNIQUE or PRIMARY KEY constraint.
                guard row.type.elementsEqual("index".utf8),
                    row.name.starts(with: "sqlite_autoindex_".utf8)
                else { return nil }
                self = .index
                return
            }
            var words = SQLWords(sql)
            guard words.next(is: "create") else { return nil }
            switch String(decoding: row.type, as: UTF8.self) {
            case "table":
                self = words.next(is: "virtual") ? .virtualTable : .table
                guard words.next(is: "table") else { return nil }
            case "index":
                _ = words.next(is: "unique")
                guard words.next(is: "index") else { return nil }
                self = .index
            case "view":
                guard words.next(is: "view") else { return nil }
                self = .view
            case "trigger":
                guard words.next(is: "trigger") else { return nil }
                self = .trigger
            default: return nil
            }
            words.skipCondition()
            guard words.nextName()?.map(lowercase) == row.name.map(lowercase) else { return nil }
        }
    }

    /// As SQLite compares names: other letters than these have one form only.
    fileprivate static func lowercase(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
}

/// The first words of a statement as SQLite stores it: `CREATE TABLE` and the name as it was
/// written, without a comment before it.
private struct SQLWords {
    private var rest: ArraySlice<UInt8>

    init(_ sql: [UInt8]) { rest = sql[...] }

    private mutating func skipSpace() {
        rest = rest.drop { [0x20, 0x09, 0x0A, 0x0C, 0x0D].contains($0) }
    }

    /// Takes the next word if it is this one, in whatever case.
    mutating func next(is word: String) -> Bool {
        skipSpace()
        let found = rest.prefix { Self.isNameByte($0) }
        guard found.map(SchemaRules.lowercase).elementsEqual(word.utf8) else { return false }
        rest = rest[found.endIndex...]
        return true
    }

    /// Takes IF NOT EXISTS, which SQLite leaves out of what it stores.
    mutating func skipCondition() {
        var words = self
        if words.next(is: "if"), words.next(is: "not"), words.next(is: "exists") { self = words }
    }

    /// The name that comes next, without its quotes. Nil if it is one of two with a dot between.
    mutating func nextName() -> [UInt8]? {
        skipSpace()
        guard let first = rest.first else { return nil }
        var name: [UInt8] = []
        switch first {
        case UInt8(ascii: "["):
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            name = Array(rest[(rest.startIndex + 1)..<end])
            rest = rest[(end + 1)...]
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"):
            guard let quoted = takeQuoted(first) else { return nil }
            name = quoted
        default:
            let found = rest.prefix { Self.isNameByte($0) }
            name = Array(found)
            rest = rest[found.endIndex...]
        }
        skipSpace()
        return name.isEmpty || rest.first == UInt8(ascii: ".") ? nil : name
    }

    /// A doubled quote stands for one.
    private mutating func takeQuoted(_ quote: UInt8) -> [UInt8]? {
        var name: [UInt8] = []
        rest = rest.dropFirst()
        while let byte = rest.popFirst() {
            guard byte == quote else {
                name.append(byte)
                continue
            }
            guard rest.first == quote else { return name }
            rest = rest.dropFirst()
            name.append(quote)
        }
        return nil
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x24, 0x80...0xFF: true
        default: false
        }
    }
}
