internal import Primitives
internal import SQLite

/// Makes the files of a new database, in a folder that nobody can see yet.
enum DatabaseFolder {
    /// A database of one page: replicas cannot begin with none.
    static func makeEmptyDatabase(at path: String) throws(StorageError) {
        do throws(SQLiteError) {
            let connection = try Connection(path: path, mode: .create)
            try connection.execute(
                """
                PRAGMA page_size = 4096; PRAGMA encoding = 'UTF-8'; PRAGMA auto_vacuum = NONE;
                PRAGMA journal_mode = WAL; PRAGMA user_version = 0;
                """)
            connection.close()
        } catch {
            throw .sqlite(error)
        }
        let file = try File(path: path, mode: .readWrite)
        guard try file.size() == Int64(pageSize) else {
            throw .corruptFile(path: path, reason: "an empty database must have one page")
        }
    }

    static func copy(_ snapshot: Snapshot, to path: String) throws(StorageError) {
        let file = try File(path: path, mode: .create)
        let exporter = SnapshotExporter(snapshot)
        var end: Int64 = 0
        while let piece = try exporter.nextPiece(maximumBytes: 1 << 20) {
            try file.write(piece, at: end, for: .newMain)
            end += Int64(piece.count)
        }
        // WAL mode, as every database here: https://www.sqlite.org/fileformat2.html, offset 18.
        try file.write([2, 2], at: 18, for: .newMain)
    }

    /// Adds meta and change file to a folder whose main file is complete, and makes it all
    /// durable. The database gets a new identity, and what is there now is its commit 1.
    static func addBooks(at path: String) throws(StorageError) {
        let main = try File(path: path + "/main.db", mode: .readWrite)
        try main.synchronizeWithTimes(for: .newMain)
        let stamp = try main.status()
        let first = CommitNumber(1)
        let meta = Meta(
            databaseID: RandomIdentifier.databaseID(),
            epochs: EpochTable(
                entries: [.init(epoch: RandomIdentifier.epoch(), start: CommitNumber(0))]),
            walBase: first, recordedCommit: first,
            mainFile: .init(size: stamp.size, modified: stamp.modified))
        try MetaFile.create(path: path + "/meta", meta: meta)
        try ChangeFile.create(directory: path, databaseID: meta.databaseID)
        try Directory.synchronize(path, for: .newFolder)
    }
}
