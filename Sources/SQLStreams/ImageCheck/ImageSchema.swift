internal import SQLite

/// The schema of a pushed image, and how it compares with the base's.
struct ImageSchema {
    let pageOne: [UInt8]
    let rows: [SchemaRow]
    /// False if every page that holds it is as it was.
    let isChanged: Bool
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
        let isSameRoot = old.map { $0[100...] == pageOne[100...] } ?? false
        let isChanged = schema.pages.contains { image.isPushed($0) && !($0 == 1 && isSameRoot) }
        self.isChanged = isChanged
        baseRoots =
            isChanged
            ? try Self.roots(of: image.base, maximumSize: maximumSize)
            : Set(rows.map(\.root))
    }

    /// None where they cannot be told: then nothing counts as known.
    private static func roots(
        of base: any PageSource, maximumSize: Int
    ) throws(ImageCheckStop) -> Set<UInt32> {
        var walk = ImageWalk(image: PushedImage(frames: [], base: base))
        do throws(ImageCheckStop) {
            return Set(try SchemaRows(walk: &walk, maximumSize: maximumSize).rows.map(\.root))
        } catch .faults {
            return []
        }
    }
}
