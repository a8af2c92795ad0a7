/// Lets tests see and fail every operation that changes a file, ours and SQLite's on databases:
/// they copy folders as a crash at that point would leave them, and make disks full or faulty.
/// Never set by the server.
package enum FileOperationHook {
    package enum Operation: Sendable {
        case write, truncate, rename, remove
        /// `fsync` or `fdatasync` of a file; only the first makes its times durable.
        case synchronize(withTimes: Bool)
        case synchronizeFolder
    }

    /// Called before the operation, on its thread; `path` is what it changes, for a rename the
    /// new name. Returns 0 to let it go on, else an `errno` that it fails with.
    package typealias Handler = @Sendable (_ operation: Operation, _ path: String) -> Int32

    // SAFETY: set by tests only, while no database is open.
    nonisolated(unsafe) package static var handler: Handler?

    package static func failure(_ operation: Operation, _ path: String) -> Int32 {
        unsafe handler.map { $0(operation, path) } ?? 0
    }
}
