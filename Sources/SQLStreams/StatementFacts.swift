internal import SQLite

/// What SQLite's authorizer said about a statement while it was compiled, which saves a parser of
/// our own.
struct StatementFacts: Equatable {
    enum TransactionControl: Equatable {
        case begin, commit, rollback
    }

    /// Inserts, updates or deletes rows itself, not through a trigger.
    var changesRows = false
    /// Inserts rows itself, so that the newest row id is of interest.
    var isInsert = false
    /// Creates, alters or drops an object of the database.
    var changesSchema = false
    /// Creates or drops temporary objects, which live as long as the connection.
    var touchesTemporaryObjects = false
    /// Changes a setting that lives as long as the connection, and that is not put back.
    var changesConnection = false
    var transactionControl: TransactionControl?
    /// VACUUM, which the authorizer only sees when it runs.
    var isVacuum = false
    /// `PRAGMA wal_checkpoint`, which SQLite must not run itself.
    var checkpointMode: CheckpointMode?
    /// `PRAGMA optimize` writes although SQLite counts it as read-only.
    var isOptimize = false
}
