package import Primitives
internal import Synchronization

/// The pages that one connection reads from its main file or its WAL, as far as they are not in
/// its cache. Begins with `Connection.traceReads`.
///
/// The thread that runs the connection records; only `stop` and `isStopped` are for any thread.
package final class PageReadTrace: @unchecked Sendable {
    // @unchecked: see above; what other threads use is atomic or behind its lock.

    /// Why the connection was interrupted.
    package enum Cut: String, Sendable {
        /// The trace holds as many pages as it may.
        case pages
        /// The connection's deadline passed.
        case time
        /// The connection's stop check says that it has held something up for too long.
        case age
        /// `stop` was called.
        case stopped
    }

    private let maximumPageCount: Int
    private var numbers: Set<UInt32> = []
    private var isFull = false
    private let stopFlag = Atomic(false)
    private let target = Mutex(Target())

    private struct Target { weak var connection: Connection? }

    /// - Parameter maximumPageCount: a read of one more page interrupts the connection.
    package init(maximumPageCount: Int) {
        precondition(maximumPageCount > 0)
        self.maximumPageCount = maximumPageCount
    }

    /// What was read so far, ascending, each page once.
    package var pages: [PageNumber] { numbers.sorted().compactMap { PageNumber($0) } }

    /// Nil while nothing kept the connection from going on.
    package var cut: Cut? {
        if isFull { return .pages }
        if connection?.isDeadlinePassed == true { return .time }
        if connection?.isStopped == true { return .age }
        return isStopped ? .stopped : nil
    }

    package var isStopped: Bool { stopFlag.load(ordering: .acquiring) }

    /// Interrupts what runs on the connection, and what reads on it later. A statement that is
    /// about to begin and reads nothing is not stopped: only its deadline is.
    package func stop() {
        stopFlag.store(true, ordering: .releasing)
        connection?.interrupt()
    }

    private var connection: Connection? { target.withLock { $0.connection } }

    func begin(_ connection: Connection) {
        precondition(self.connection == nil, "a trace belongs to one connection")
        target.withLock { $0.connection = connection }
    }

    /// Notes a read of `count` bytes of the main file at `offset`.
    func mainFileRead(count: Int32, offset: Int64) {
        guard count > 0 else { return }
        let first = offset / Int64(pageSize)
        let last = (offset + Int64(count) - 1) / Int64(pageSize)
        for index in first...last { record(UInt32(truncatingIfNeeded: index + 1)) }
    }

    func record(_ page: UInt32) {
        if numbers.count < maximumPageCount || numbers.contains(page) {
            numbers.insert(page)
        } else {
            isFull = true
        }
        interruptIfDue()
    }

    /// The progress callback does not run inside of count(*) and integrity checks, but those
    /// stop when they are interrupted.
    private func interruptIfDue() {
        guard let connection else { return }
        if connection.mustInterrupt() || cut != nil { connection.interrupt() }
    }
}
