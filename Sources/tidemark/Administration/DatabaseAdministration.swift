internal import Endpoints
internal import Primitives
internal import SQLite

/// What `tidemark db` does with the databases of a data directory: directly while no server runs,
/// or through a running server's admin listener.
protocol DatabaseAdministration {
    func create(_ name: DatabaseName) throws(AdministrationError)

    /// Sorted by name.
    func list() throws(AdministrationError) -> [DatabaseSummary]

    func statistics(_ name: DatabaseName) throws(AdministrationError) -> StatisticsReport

    func delete(_ name: DatabaseName) throws(AdministrationError)

    /// Copies the write-ahead log to the database's file; readers in the way are an answer.
    func checkpoint(
        _ name: DatabaseName, _ mode: CheckpointMode
    ) throws(AdministrationError) -> CheckpointResult

    /// The partial replicas that history is kept for, the one used last first.
    func pins(_ name: DatabaseName) throws(AdministrationError) -> [PinSummary]

    /// Forgets one; its client gets every page with its next pull.
    func dropPin(_ id: ReplicaID, of name: DatabaseName) throws(AdministrationError)

    /// Makes a new database of the SQLite file at `path`. Leaves nothing behind if it fails.
    func importFile(
        _ name: DatabaseName, from path: String, progress: @escaping (TransferProgress) -> Void
    ) throws(AdministrationError) -> ImportSummary

    /// Writes a consistent copy to `path`: an empty file, which the caller made and will rename.
    /// What a failed export leaves in it is the caller's to remove.
    func exportFile(
        _ name: DatabaseName, to path: String, progress: @escaping (TransferProgress) -> Void
    ) throws(AdministrationError)
}
