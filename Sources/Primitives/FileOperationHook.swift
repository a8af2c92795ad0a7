/// Lets tests see and fail every operation that changes a file, ours and SQLite's on databases:
/// they copy folders as a crash at that point would leave them, and make disks full or faulty.
/// Never set by the server.
package enum FileOperationHook {
    package enum Operation: Sendable {
        case write, truncate, rename, remove, makeFolder, removeFolder
        /// `fsync` or `fdatasync` of a file; only the first makes its times durable.
        case synchronize(withTimes: Bool)
        case synchronizeFolder
    }

    /// An operation that is about to happen.
    package struct Event: Sendable {
        package let operation: Operation
        package let purpose: FilePurpose
        /// What it changes; for a rename the new name.
        package let path: String
        /// Where a write begins, and how long it is, in bytes; else 0.
        package let offset: Int64
        package let byteCount: Int

        /// Names this point of the code, such as `flush history images`.
        package var name: String { "\(operation.verb) \(purpose.rawValue)" }
    }

    /// What becomes of an operation.
    package enum Outcome: Sendable {
        case goesOn
        /// It fails with an `errno` and does nothing.
        case fails(Int32)
        /// A write's first bytes arrive, then it fails.
        case isCutShort(byteCount: Int, Int32)
    }

    /// Called before the operation, on its thread.
    package typealias Handler = @Sendable (Event) -> Outcome

    // SAFETY: set by tests only, while no database is open.
    nonisolated(unsafe) package static var handler: Handler?

    package static func outcome(
        _ operation: Operation, _ purpose: FilePurpose, _ path: String, offset: Int64 = 0,
        byteCount: Int = 0
    ) -> Outcome {
        guard let handler = unsafe handler else { return .goesOn }
        return handler(
            Event(
                operation: operation, purpose: purpose, path: path, offset: offset,
                byteCount: byteCount))
    }
}

extension FileOperationHook.Operation {
    fileprivate var verb: String {
        switch self {
        case .write: "write"
        case .truncate: "cut"
        case .rename: "rename"
        case .remove: "remove"
        case .makeFolder: "make"
        case .removeFolder: "remove"
        case .synchronize, .synchronizeFolder: "flush"
        }
    }
}
