internal import Logging

/// Ends a SQL reader that holds up a checkpoint and has had more than its time.
///
/// Used on the reader's thread only. Without a checkpoint in need a reader may take as long as
/// its statements may.
final class ReaderAge {
    private let database: Database
    private let start: ContinuousClock.Instant
    private(set) var wasTooOld = false

    init(_ database: Database) {
        self.database = database
        start = database.options.monotonicClock.now()
    }

    /// To be asked every few microseconds while statements run; nil if readers have no limit.
    var stopCheck: (() -> Bool)? {
        database.options.maxSnapshotAge > .zero ? { self.isTooOld() } : nil
    }

    private func isTooOld() -> Bool {
        guard database.isCheckpointHeldUp.load(ordering: .relaxed),
            database.options.monotonicClock.now() - start >= database.options.maxSnapshotAge
        else { return false }
        if !wasTooOld {
            wasTooOld = true
            database.logger.info("snapshot_too_old", [("database", database.name.text)])
        }
        return true
    }
}
