internal import FoundationEssentials

/// The two forms of `tidemark db list`.
enum DatabaseListing {
    private struct Element: Encodable {
        let name: String
        let sizeBytes: UInt64
        let revision: String

        enum CodingKeys: String, CodingKey {
            case name
            case sizeBytes = "size_bytes"
            case revision
        }
    }

    /// An array with one object a database, on one line each.
    static func json(_ databases: [DatabaseSummary]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let lines = try databases.map { database in
            let element = Element(
                name: database.name, sizeBytes: database.sizeBytes, revision: database.revision)
            return String(decoding: try encoder.encode(element), as: UTF8.self)
        }
        return lines.isEmpty ? "[]\n" : "[\n" + lines.joined(separator: ",\n") + "\n]\n"
    }

    /// Name, size in bytes and revision in columns, under a heading.
    static func table(_ databases: [DatabaseSummary]) -> String {
        let rows =
            [("NAME", "BYTES", "REVISION")]
            + databases.map { ($0.name, String($0.sizeBytes), $0.revision) }
        let nameWidth = rows.map(\.0.count).max() ?? 0
        let sizeWidth = rows.map(\.1.count).max() ?? 0
        return rows.map { name, size, revision in
            let line =
                name + String(repeating: " ", count: nameWidth - name.count + 2)
                + String(repeating: " ", count: sizeWidth - size.count) + size
            return revision.isEmpty ? "\(line)\n" : "\(line)  \(revision)\n"
        }.joined()
    }
}
