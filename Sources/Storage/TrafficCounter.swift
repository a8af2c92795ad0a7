internal import Synchronization

/// Bytes of HTTP bodies that went to and from one database's clients since the server started,
/// as they travelled. It outlives the database's being closed to make room. Safe from any thread.
package final class TrafficCounter: Sendable {
    private let received = Atomic<Int64>(0)
    private let sent = Atomic<Int64>(0)

    package var receivedBytes: Int64 { received.load(ordering: .relaxed) }
    package var sentBytes: Int64 { sent.load(ordering: .relaxed) }

    package init() {}

    package func add(received count: Int) { received.add(Int64(count), ordering: .relaxed) }
    package func add(sent count: Int) { sent.add(Int64(count), ordering: .relaxed) }
}
