internal import Primitives

/// A file in the data directory that is being received. Removed when it is let go, with what SQLite
/// put next to it: reading a file in WAL mode leaves a WAL and its index behind.
package final class Upload {
    package let path: String
    private let file: File
    private var end: Int64 = 0

    init(path: String) throws(StorageError) {
        self.path = path
        file = try File(path: path, mode: .create)
    }

    deinit {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            try? Directory.removeFile(path + suffix, for: .upload)
        }
    }

    package func append(_ bytes: [UInt8]) throws(StorageError) {
        try file.write(bytes, at: end, for: .upload)
        end += Int64(bytes.count)
    }
}

extension DatabaseStore {
    /// Begins to receive a file; a crash leaves it to be removed at the next start.
    package func beginUpload() throws(StorageError) -> Upload {
        try Upload(path: temporaryPath("upload"))
    }
}
