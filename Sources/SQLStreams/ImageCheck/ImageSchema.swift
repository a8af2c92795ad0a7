internal import SQLite

/// The schema of a pushed image, and how it compares with the base's.
struct ImageSchema {
    let pageOne: [UInt8]
    let rows: [SchemaRow]
    /// False if every page that holds it is as it was.
    let isChanged: Bool
    private let baseRows: Set<SchemaRow>
    /// By how much the schema's cookie grew; 1 over a base without pages.
    private let cookieStep: Int32
    /// The roots of the base's trees.
    let baseRoots: Set<UInt32>

    init(
        _ image: PushedImage, walk: inout ImageWalk, maximumSize: Int
    ) throws(ImageCheckStop) {
        let schema = try SchemaRows(walk: &walk, maximumSize: maximumSize)
        rows = schema.rows
        let (pageOne, old): ([UInt8], [UInt8]?)
        do throws(SQLiteError) {
            pageOne = try image.content(of: 1)
            old = image.base.databaseSize > 0 ? try image.base.page(1) : nil
        } catch {
            throw .source(error)
        }
        // The header at the front of page 1 changes with most commits.
        self.pageOne = pageOne
        // It may wrap around.
        cookieStep =
            old.map { Int32(bitPattern: Self.cookie(pageOne) &- Self.cookie($0)) } ?? 1
        let isSameRoot = old.map { $0[100...] == pageOne[100...] } ?? false
        let isChanged = schema.pages.contains { image.isPushed($0) && !($0 == 1 && isSameRoot) }
        self.isChanged = isChanged
        baseRows =
            isChanged ? try Self.rows(of: image.base, maximumSize: maximumSize) : Set(rows)
        baseRoots = Set(baseRows.map(\.root))
    }

    /// Those that the base does not have.
    var newRows: [SchemaRow] { rows.filter { !baseRows.contains($0) } }

    /// A connection keeps the schema that it parsed for as long as page 1 holds the cookie that it
    /// saw then. With another schema under the same cookie it would read and write wrong trees.
    var cookieProblem: String? {
        if cookieStep < 0 { return "the schema's cookie goes back" }
        guard cookieStep == 0, Set(rows) != baseRows else { return nil }
        return "the schema changed, and its cookie did not"
    }

    private static func cookie(_ pageOne: [UInt8]) -> UInt32 { pageOne.bigEndian32(at: 40) }

    /// None where they cannot be told: then nothing counts as known.
    private static func rows(
        of base: any PageSource, maximumSize: Int
    ) throws(ImageCheckStop) -> Set<SchemaRow> {
        var walk = ImageWalk(image: PushedImage(frames: [], base: base))
        do throws(ImageCheckStop) {
            return Set(try SchemaRows(walk: &walk, maximumSize: maximumSize).rows)
        } catch .faults {
            return []
        }
    }
}
