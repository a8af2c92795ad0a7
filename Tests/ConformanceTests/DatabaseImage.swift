import Foundation
import SQLite

/// The bytes of a database file: an export, or a replica that applies pulls as the clients do.
struct DatabaseImage {
    private(set) var bytes: [UInt8]
    /// Of the last pull; empty before the first.
    private(set) var revision = ""

    static let pageSize = 4096

    init(bytes: [UInt8] = []) { self.bytes = bytes }

    /// Writes the pages and takes the size; ranges that were never pulled stay zeros.
    mutating func apply(_ pull: PulledPages) {
        revision = pull.revision
        let size = pull.databaseSize * Self.pageSize
        if bytes.count > size { bytes.removeLast(bytes.count - size) }
        bytes += [UInt8](repeating: 0, count: size - bytes.count)
        for page in pull.pages {
            let start = page.id * Self.pageSize
            bytes.replaceSubrange(start..<start + Self.pageSize, with: page.bytes)
        }
    }

    /// In rollback mode, so that SQLite looks for no WAL; otherwise the same. Two states with the
    /// same pages compare equal.
    var normalized: [UInt8] {
        var bytes = bytes
        bytes[18] = 1
        bytes[19] = 1
        return bytes
    }

    /// The numbers of the pages that differ, from 0; nil if the sizes do.
    func differingPages(from other: DatabaseImage) -> [Int]? {
        guard bytes.count == other.bytes.count else { return nil }
        let (ours, theirs) = (normalized, other.normalized)
        return (0..<bytes.count / Self.pageSize).filter { page in
            let range = page * Self.pageSize..<(page + 1) * Self.pageSize
            return ours[range] != theirs[range]
        }
    }

    /// The first column of the first row, asked of stock SQLite.
    func text(_ query: String) throws -> String? {
        let folder = try TemporaryFolder()
        let path = folder.path("image.db")
        try Data(normalized).write(to: URL(fileURLWithPath: path))
        let connection = try Connection(path: path, mode: .readOnly)
        defer { connection.close() }
        return try connection.queryText(query)
    }

    /// "ok" if SQLite finds no fault.
    func integrity() throws -> String? { try text("PRAGMA integrity_check(3)") }
}
