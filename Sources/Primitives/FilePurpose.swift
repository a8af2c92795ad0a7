/// What an operation that changes a file is for. Together with the operation it names a point at
/// which a process may die or a disk may fail; the tests list all of these names, and reach each.
package enum FilePurpose: String, CaseIterable, Sendable {
    // Commits: SQLite writes to the WAL, we flush it.
    case walHeader = "WAL header"
    case walFrameHeader = "WAL frame header"
    case walFramePage = "WAL frame page"
    case commit = "commit"

    // Checkpoints, in their order.
    case historyImages = "history images"
    case historyEnd = "history end"
    case changes = "changes"
    case metaCheckpointBegins = "meta (checkpoint begins)"
    case walToCopy = "WAL to copy"
    case mainPages = "main pages"
    case mainTimes = "main times"
    case metaCheckpointEnds = "meta (checkpoint ends)"
    case spentWAL = "spent WAL"
    case changesRewrite = "changes rewrite"

    // Replicas, and what else is written down.
    case historyLog = "history log"
    case failedHistoryLog = "failed history log"
    case historyLogRewrite = "history log rewrite"
    case metaEpoch = "meta (epoch)"
    case metaSettings = "meta (settings)"
    case rejected = "rejected"
    case failedRejected = "failed rejected"

    // Frame sync: frames that clients push, the archive of frames, and what is written down of it.
    case pushedWALHeader = "pushed WAL header"
    case pushedFrames = "pushed frames"
    case frames = "frames"
    case newFrames = "new frames"
    case unrecordedFrames = "unrecorded frames"
    case forgottenFrames = "forgotten frames"
    case generations = "generations"
    case failedGenerations = "failed generations"
    case generationsRewrite = "generations rewrite"
    case foundGenerations = "found generations"
    case tornGenerations = "torn generations"

    /// The end of the WAL behind the last good commit, after a failure.
    case failedCommit = "failed commit"

    // Opening: what may not be durable yet, and what nobody vouches for.
    case foundMeta = "found meta"
    case foundWAL = "found WAL"
    case foundHistoryLog = "found history log"
    case tornHistoryLog = "torn history log"
    case foundFolder = "found folder"
    case tornRejected = "torn rejected"
    case unrecordedChanges = "unrecorded changes"
    case metaLineage = "meta (lineage)"

    // The data directory.
    case dataFolder = "data folder"
    case dataFolderName = "data folder's name"
    case databasesFolder = "databases folder"
    case leftover = "leftover"
    case newFolder = "new folder"
    case newMain = "new main"
    case newMeta = "new meta"
    case newChanges = "new changes"
    case failedNew = "failed new"
    case failedName = "failed name"
    case createdName = "created name"
    case deletedName = "deleted name"
    case deleted = "deleted"
    case upload = "upload"

    /// Encoded pages in a file without a name: a crash leaves nothing of it.
    case pageCache = "page cache"

    /// A copy that an operator asked for, outside of the data directory.
    case export = "export"
}
