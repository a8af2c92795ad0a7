internal import Primitives
internal import Synchronization

/// The newest small answer to a pull. All clients that wait for the same commit get the same bytes,
/// which one of them has made.
final class RecentAnswer: Sendable {
    /// What the bytes depend on: pages that changed after a commit up to a state, framed, for a
    /// client that is no partial replica.
    struct Key: Equatable {
        let from: CommitNumber
        /// Names the database, too.
        let to: Revision
    }

    private let state = Mutex<(key: Key, body: [UInt8])?>(nil)

    func body(_ key: Key) -> [UInt8]? {
        state.withLock { kept in kept?.key == key ? kept?.body : nil }
    }

    func keep(_ body: [UInt8], for key: Key) {
        state.withLock { $0 = (key, body) }
    }
}
