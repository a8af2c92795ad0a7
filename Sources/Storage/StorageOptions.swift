internal import Glibc

/// What an operator can set about storage.
package struct StorageOptions: Sendable {
    /// Databases that stay open while nobody uses them; the least recently used goes first.
    package var openDatabaseLimit = 256
    /// WAL frames from which a passive checkpoint runs after a commit. At least 1.
    package var minCheckpointPageCount = 1000
    /// Frames in the WAL file from which it is truncated; 0 for never.
    package var truncatePageCount = 121_359
    /// How long frames stay out of the main file at most, but for readers; zero for ever.
    package var checkpointInterval: Duration = .seconds(60)
    /// How long a checkpoint that needs them gone waits for readers.
    package var checkpointWait: Duration = .seconds(2)
    /// How long a SQL reader may hold up a checkpoint; zero for ever.
    package var maxSnapshotAge: Duration = .seconds(30)
    /// SQL readers of one database that run at the same time.
    package var readerCount = 4
    /// Requests that may wait for one database's writer, and as many for its readers.
    package var queueLimit = 10_000
    /// Bytes of old images that a database may always keep for replicas; twice its largest pinned
    /// size, if that is more. Beyond that, the pin that was not used for the longest time goes.
    package var historyQuota: Int64 = 256 << 20
    /// How long a replica's history is kept after its last use.
    package var pinRetention: Duration = .seconds(30 * 86400)
    /// Bytes from which `changes` and `history.log` are replaced when they repeat themselves.
    package var changesRewriteSize: Int64 = 1 << 20
    package var historyLogRewriteSize: Int64 = 1 << 16
    /// Partial replicas of one database; further ones are refused.
    package var pinLimit = 100_000
    /// Bytes of disk that encoded pages of all databases may take, to be sent again; 0 for none.
    package var pageCacheSize: Int64 = 1 << 30
    /// The time, in seconds since 1970.
    package var clock: @Sendable () -> Int64 = { Int64(time(nil)) }

    /// The time for checkpoints.
    package var monotonicClock = MonotonicClock.system

    package init() {}
}
