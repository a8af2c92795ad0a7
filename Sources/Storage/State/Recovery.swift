package import Primitives

/// Decides at opening what a database's files mean together. Pure: the caller reads the files.
package struct Recovery: Equatable {
    /// What the WAL on disk holds; nil without a valid header.
    package struct WAL: Equatable {
        package var salts: Meta.WALSalts
        package var commitCount: UInt64

        package init(salts: Meta.WALSalts, commitCount: UInt64) {
            self.salts = salts
            self.commitCount = commitCount
        }
    }

    /// The commit before the WAL's first frame.
    package let walBase: CommitNumber
    package let head: CommitNumber
    /// The oldest commit whose content is there in full: what a checkpoint copied to the main
    /// file took the place of older content.
    package let exactFloor: CommitNumber
    /// Something else wrote to the database, or a part of it is missing, so what changed since
    /// older revisions is not known: none of them may count as known any more.
    package let breaksLineage: Bool

    /// By how much commit numbers jump where commits may have been lost from our books, so that
    /// revisions still grow.
    package static let lineageJump: UInt64 = 1 << 20

    package init(meta: Meta, wal: WAL?, mainFile: Meta.MainFileStamp, hasChangeIndex: Bool) {
        let base = Self.base(meta: meta, wal: wal)
        let count = wal?.commitCount ?? 0
        let isMainFileOurs = meta.isCheckpointing || mainFile == meta.mainFile
        if let base, base.rawValue + count >= meta.recordedCommit.rawValue, isMainFileOurs,
            hasChangeIndex
        {
            walBase = base
            head = CommitNumber(base.rawValue + count)
            exactFloor = max(base, meta.recordedCommit)
            breaksLineage = false
        } else {
            let known = max(meta.recordedCommit, meta.walBase).rawValue + count
            walBase = CommitNumber(known + Self.lineageJump)
            head = CommitNumber(walBase.rawValue + count)
            exactFloor = head
            breaksLineage = true
        }
    }

    /// The commit before the WAL's first frame, if that WAL can only be ours.
    ///
    /// A WAL starts over, or is emptied, only when all of it was checkpointed, and before that the
    /// change file and `recordedCommit` took in all its commits. SQLite then adds one to the first
    /// salt; but a connection that finds an empty WAL draws its salts. Before the WAL is emptied
    /// meta says that it may be, which also holds while the same WAL goes on: then its salts tell.
    private static func base(meta: Meta, wal: WAL?) -> CommitNumber? {
        switch (meta.walSalts, wal?.salts) {
        case (nil, _): meta.recordedCommit
        case (.some(let recorded), .some(let found)) where found == recorded: meta.walBase
        case _ where meta.isWALSpent: meta.recordedCommit
        case (.some, nil): nil
        case (.some(let recorded), .some(let found)) where found.isSuccessor(of: recorded):
            meta.recordedCommit
        default: nil
        }
    }
}
