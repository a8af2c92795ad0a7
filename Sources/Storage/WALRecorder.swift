internal import Primitives
internal import SQLite

/// Collects what SQLite writes to the WAL, so that a commit's page numbers are known without
/// reading the file again.
///
/// It looks at what the WAL holds when a write transaction ends, and does not rely on
/// `sqlite3_wal_hook`: that one is not called for a commit by a statement that fails (`INSERT OR
/// FAIL` keeps the rows before the failure) or that is reset before its last row.
///
/// A transaction that spills its cache and rolls back leaves frames in here, too; the next one
/// writes over them at the same numbers. Used under SQLite's write lock only.
final class WALRecorder: WALWriteObserver {
    /// What becomes known of a write transaction, in this order.
    enum Event {
        /// Its commit is in the file, and readers see it from now on.
        case shows
        /// Each commit, once; usually one.
        case committed(Commit)
        /// Behind `shows` only.
        case ended
    }

    struct Commit {
        let pages: [UInt32]
        let databaseSize: UInt32
        /// The salts, if the WAL started over within this commit.
        let newSalts: Meta.WALSalts?
    }

    private struct End {
        let lastFrame: UInt32
        let databaseSize: UInt32
    }

    /// Pages of the frames after `takenFrame`.
    private var pages: [UInt32] = []
    /// Commit frames after `takenFrame`, ascending. Not every one becomes a commit: what follows
    /// in its transaction may fail.
    private var ends: [End] = []
    /// The last frame of the newest commit that was handed over.
    private var takenFrame: UInt32 = 0
    private var newSalts: Meta.WALSalts?
    private var isShowing = false
    private var tell: ((Event) -> Void)?

    /// - Parameters:
    ///   - lastFrame: the last committed frame in the WAL now.
    ///   - tell: called on the thread that writes.
    func begin(lastFrame: UInt32, tell: @escaping (Event) -> Void) {
        takenFrame = lastFrame
        self.tell = tell
    }

    /// The WAL started over, and no commit in it is known yet.
    var hasOnlyNewHeader: Bool { newSalts != nil }

    func walHeaderWritten(salt1: UInt32, salt2: UInt32) {
        newSalts = Meta.WALSalts(salt1: salt1, salt2: salt2)
        pages.removeAll(keepingCapacity: true)
        ends = []
        takenFrame = 0
    }

    func walFrameWritten(number: UInt32, page: UInt32, databaseSize: UInt32) {
        precondition(number > takenFrame, "SQLite wrote over a committed frame")
        let index = Int(number - takenFrame) - 1
        while pages.count <= index { pages.append(0) }
        pages[index] = page
        while let last = ends.last, last.lastFrame >= number { ends.removeLast() }
        guard databaseSize != 0 else { return }
        ends.append(End(lastFrame: number, databaseSize: databaseSize))
        isShowing = true
        tell?(.shows)
    }

    func walWriteEnds(lastFrame: UInt32) {
        while let end = ends.first, end.lastFrame <= lastFrame {
            ends.removeFirst()
            let count = Int(end.lastFrame - takenFrame)
            let commit = Commit(
                pages: Array(pages[..<count]), databaseSize: end.databaseSize, newSalts: newSalts)
            precondition(!commit.pages.contains(0), "a frame of a commit went unseen")
            pages.removeFirst(count)
            takenFrame = end.lastFrame
            newSalts = nil
            tell?(.committed(commit))
        }
        if isShowing { tell?(.ended) }
        isShowing = false
        precondition(lastFrame <= takenFrame, "a commit went unseen")
    }
}
