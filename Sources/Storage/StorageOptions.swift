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
    package var clock = StorageClock.system
    /// SQL readers of one database that run at the same time.
    package var readerCount = 4
    /// Requests that may wait for one database's writer, and as many for its readers.
    package var queueLimit = 10_000
    /// How long the revision of a chunked bootstrap stays readable after its last request.
    package var bootstrapLease: Duration = .seconds(600)
    /// Revisions of one database that such leases may hold.
    package var bootstrapLeaseLimit = 64

    package init() {}
}
