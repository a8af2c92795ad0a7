internal import Synchronization

/// The rows that clients pushed in one run, and which of them were acknowledged.
///
/// Ids are `1rrrrrrcccccsssssss`: the run's random number, the client, and the row of that client.
package final class PushLedger: Sendable {
    /// Rows that one client can push in a run.
    package static let rowsPerClient = 10_000_000
    package static let maximumClients = 100_000
    package static let runNumbers = 0..<1_000_000

    private struct State {
        var acknowledgedCount = 0
        /// Rows whose push failed; the server may have them.
        var unsure: [Range<Int>] = []
    }

    package let run: Int
    private let state = Mutex(State())

    package init(run: Int) {
        precondition(Self.runNumbers.contains(run))
        self.run = run
    }

    package func firstID(of client: Int) -> Int { ids.lowerBound + client * Self.rowsPerClient }

    /// All ids of the run.
    package var ids: Range<Int> {
        let size = Self.maximumClients * Self.rowsPerClient
        return BenchTable.firstPushedID + run * size..<BenchTable.firstPushedID + (run + 1) * size
    }

    package func acknowledge(_ count: Int) {
        state.withLock { $0.acknowledgedCount += count }
    }

    package func leaveOpen(_ ids: Range<Int>) {
        state.withLock { $0.unsure.append(ids) }
    }

    package var acknowledgedCount: Int { state.withLock { $0.acknowledgedCount } }
    package var unsure: [Range<Int>] { state.withLock { $0.unsure } }
}
