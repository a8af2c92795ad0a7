package import SQLite

extension Database {
    /// A checkpoint that an operator asks for. RESTART and TRUNCATE end the generation of frame sync
    /// first, if it has frames: its clients may then shorten their own logs, which nothing else
    /// lets them do.
    package func operatorCheckpoint(
        _ mode: CheckpointMode,
        completion: @escaping @Sendable (Result<CheckpointResult, StorageError>) -> Void
    ) {
        write(
            { [self] session throws(StorageError) in
                if mode == .restart || mode == .truncate, frameGeneration?.lastFrame ?? 0 > 0 {
                    _ = try session.rollGeneration()
                }
                return try session.checkpoint(mode)
            }, completion: completion)
    }
}
