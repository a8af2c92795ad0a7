internal import Execution
package import Primitives

/// The streams that go on over several requests, of all databases: who may go on with which, and
/// until when. Pure; `Content` is what a stream keeps.
///
/// ```
///              open                store                 take
///  (nothing) -------->  busy  ---------------->  idle  --------->  busy ...
///                         |                        |
///                         | end                    | end, expire, a deadline at take
///                         v                        v
///                      (nothing), and its batons mean nothing any more
/// ```
///
/// A baton is good for one request; the answer has the next one. While a request runs, its baton
/// still tells that the stream is busy.
///
/// Invariants: at most `Limits.streamsPerDatabase` streams of one database and `Limits.streams` in
/// all; every idle stream has a deadline.
package struct StreamTable<Content> {
    package typealias Instant = ContinuousClock.Instant

    private struct Entry {
        let database: DatabaseID
        /// Nil before the first `store`.
        var baton: String?
        /// Nil while a request runs.
        var content: Content?
        var idleDeadline: Instant?
        /// Of the transaction that the stream holds, which may have begun many requests ago.
        var transactionDeadline: Instant?

        var deadline: Instant? {
            guard let idleDeadline else { return nil }
            return transactionDeadline.map { min($0, idleDeadline) } ?? idleDeadline
        }
    }

    package enum Taken {
        case stream(StreamID, Content)
        /// A request with the same baton runs.
        case busy
        /// Nil if nothing is known of the baton. With a content if it is the owner's to clean up.
        case ended(StreamEnd?, Content?)
    }

    let limits: StreamLimits
    private var entries: [StreamID: Entry] = [:]
    private var counts: [DatabaseID: Int] = [:]
    private var batons: [String: StreamID] = [:]
    private var lastID: UInt64 = 0
    /// Why batons mean nothing any more, the newest `endedLimit` of them.
    private var ended: [String: StreamEnd] = [:]
    private var endedOrder = Queue<String>()
    private let endedLimit: Int

    package init(limits: StreamLimits, endedLimit: Int = 1024) {
        self.limits = limits
        self.endedLimit = endedLimit
    }

    package var count: Int { entries.count }
    package func count(of database: DatabaseID) -> Int { counts[database] ?? 0 }

    // MARK: requests

    /// A new stream, busy with the request that will store what it keeps, or end it. Nil if there
    /// are too many.
    package mutating func open(_ database: DatabaseID) -> StreamID? {
        let count = counts[database] ?? 0
        guard count < limits.streamsPerDatabase, entries.count < limits.streams else { return nil }
        counts[database] = count + 1
        lastID += 1
        let id = StreamID(rawValue: lastID)
        entries[id] = Entry(database: database)
        return id
    }

    /// Gives a request what the stream of `baton` keeps. A baton of another database is not known
    /// here, and does its stream no harm.
    package mutating func take(_ baton: String, of database: DatabaseID, now: Instant) -> Taken {
        guard let id = batons[baton], let entry = entries[id], entry.database == database else {
            return .ended(ended[baton], nil)
        }
        guard let content = entry.content else { return .busy }
        if let end = end(of: entry, now: now) {
            self.end(id, end)
            return .ended(end, content)
        }
        entries[id]?.content = nil
        entries[id]?.idleDeadline = nil
        return .stream(id, content)
    }

    /// Whether the transaction of a busy stream has had its time.
    package func isTransactionOver(_ id: StreamID, now: Instant) -> Bool {
        entries[id]?.transactionDeadline.map { $0 <= now } ?? false
    }

    /// Ends the request of a busy stream: `baton`, which may be the one that the request came with,
    /// goes on with it.
    ///
    /// - Parameter holdsTransaction: its time counts from the first time that this is said.
    /// - Returns: false if the stream was ended meanwhile; its content is the caller's again.
    package mutating func store(
        _ content: Content, in id: StreamID, under baton: String, holdsTransaction: Bool,
        now: Instant
    ) -> Bool {
        guard var entry = entries[id] else { return false }
        precondition(entry.content == nil, "the stream is not busy")
        if let old = entry.baton, old != baton {
            batons[old] = nil
            note(old, .used)
        }
        batons[baton] = id
        entry.baton = baton
        entry.content = content
        entry.idleDeadline = now + limits.idleTime
        entry.transactionDeadline =
            holdsTransaction ? entry.transactionDeadline ?? now + limits.transactionTime : nil
        entries[id] = entry
        return true
    }

    // MARK: ends

    /// Ends a stream, busy or not; what it keeps is returned to be cleaned up. Nothing happens if it
    /// has ended.
    @discardableResult
    package mutating func end(_ id: StreamID, _ end: StreamEnd) -> Content? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        let count = counts[entry.database] ?? 1
        counts[entry.database] = count > 1 ? count - 1 : nil
        if let baton = entry.baton {
            batons[baton] = nil
            note(baton, end)
        }
        return entry.content
    }

    /// Ends the streams whose time is over, and returns what they kept.
    package mutating func expire(now: Instant) -> [(content: Content, end: StreamEnd)] {
        let over = entries.compactMap { id, entry in end(of: entry, now: now).map { (id, $0) } }
        return over.compactMap { id, end in self.end(id, end).map { ($0, end) } }
    }

    /// Ends all of them, busy ones too, and returns what the idle ones kept.
    package mutating func endAll(_ end: StreamEnd) -> [Content] {
        entries.keys.compactMap { self.end($0, end) }
    }

    /// When `expire` will have something to do.
    package var nextDeadline: Instant? { entries.values.compactMap(\.deadline).min() }

    /// Why an idle stream has to end now, if it has.
    private func end(of entry: Entry, now: Instant) -> StreamEnd? {
        guard let idleDeadline = entry.idleDeadline else { return nil }
        if let over = entry.transactionDeadline, over <= now {
            return .transactionTooLong(limits.transactionTime)
        }
        return idleDeadline <= now ? .idle(limits.idleTime) : nil
    }

    private mutating func note(_ baton: String, _ end: StreamEnd) {
        ended[baton] = end
        endedOrder.append(baton)
        if endedOrder.count > endedLimit, let oldest = endedOrder.popFirst() { ended[oldest] = nil }
    }
}
