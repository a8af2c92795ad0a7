internal import Primitives
internal import SQLite

/// Collects what SQLite writes to the WAL during a transaction, so that a commit's page numbers
/// are known without reading the file again.
///
/// A transaction that spills its cache and rolls back leaves frames in here, too; the next one
/// writes over them at the same numbers. Owned by the thread that runs the writer lane.
final class WALRecorder: WALWriteObserver {
    struct Commit {
        let pages: [UInt32]
        let databaseSize: UInt32
        /// The salts, if the WAL started over within this commit.
        let newSalts: Meta.WALSalts?
    }

    private var pages: [UInt32] = []
    private var commitFrame: UInt32 = 0
    private var databaseSize: UInt32 = 0
    private var newSalts: Meta.WALSalts?

    func walHeaderWritten(salt1: UInt32, salt2: UInt32) {
        newSalts = Meta.WALSalts(salt1: salt1, salt2: salt2)
        pages.removeAll(keepingCapacity: true)
    }

    func walFrameWritten(number: UInt32, page: UInt32, databaseSize size: UInt32) {
        while pages.count < Int(number) { pages.append(0) }
        pages[Int(number) - 1] = page
        if size != 0 {
            commitFrame = number
            databaseSize = size
        }
    }

    /// What a commit wrote whose last frame is `lastFrame`.
    ///
    /// - Parameter previousFrame: the last frame of the commit before it.
    func takeCommit(lastFrame: UInt32, previousFrame: UInt32) -> Commit {
        let first = newSalts == nil ? previousFrame + 1 : 1
        precondition(commitFrame == lastFrame && first <= lastFrame, "a commit frame went unseen")
        let commit = Commit(
            pages: Array(pages[Int(first - 1)..<Int(lastFrame)]), databaseSize: databaseSize,
            newSalts: newSalts)
        precondition(!commit.pages.contains(0), "a frame of a commit went unseen")
        newSalts = nil
        return commit
    }
}
