package import Primitives
package import SQLite

/// Why storage refused something. Cases name what happened; `Endpoints` turns them into answers.
package enum StorageError: Error {
    case unknownDatabase(DatabaseName)
    case databaseExists(DatabaseName)
    /// The data directory belongs to a running process.
    case dataDirectoryLocked(path: String)
    /// Another program holds a lock on the database's file.
    case databaseLocked(DatabaseName)
    /// It is being opened or closed right now; try again.
    case databaseBusy(DatabaseName)
    /// A write or flush failed earlier; the database is reopened for the next request.
    case databaseFailed(DatabaseName)
    /// Too many requests wait for this database.
    case queueFull(DatabaseName)
    /// The server is stopping, or the database is being deleted.
    case closed
    /// The pages of that revision are no longer kept.
    case revisionGone
    /// The database serves as many partial replicas as it may.
    case tooManyPins(DatabaseName)
    /// A system call failed.
    case file(operation: String, path: String, code: Int32)
    /// There is no memory for what was asked.
    case outOfMemory
    /// One of our own files does not hold what it must.
    case corruptFile(path: String, reason: String)
    case sqlite(SQLiteError)
    /// An imported file cannot be served to replicas.
    case importRefused(reasons: [String])
}
