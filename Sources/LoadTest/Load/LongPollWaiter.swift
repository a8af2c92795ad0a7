internal import HTTP
internal import Transport
internal import WireProtocol

/// A replica that waits for the next commit, and for the next after that.
final class LongPollWaiter: HTTPClientOwner {
    /// Longer than the servers' own limits, which end it earlier.
    private static let pollMilliseconds: UInt32 = 60_000

    let database: BenchDatabase
    private unowned let driver: LongPollDriver
    private let loop: EventLoop
    private lazy var http = HTTPClientConnection(loop: loop, address: database.address, owner: self)
    private var header = PullHeaderReader()
    private var revision: String
    /// The header of the answer before, which has that revision; empty before the first one.
    private var lastMessage: [UInt8] = []
    /// Was not yet woken by the round that runs.
    var isMissing = false
    /// Has its answer, and does not wait.
    private(set) var isAwake = false

    init(database: BenchDatabase, revision: String, driver: LongPollDriver, loop: EventLoop) {
        self.database = database
        self.revision = revision
        self.driver = driver
        self.loop = loop
    }

    func poll() {
        // Decoded only now: while clients are woken, they should not wait for each other.
        if let header = header.header { revision = header.serverRevision }
        header.reset()
        isAwake = false
        var request = PullRequest()
        request.clientRevision = revision
        request.longPollTimeoutMilliseconds = Self.pollMilliseconds
        http.send(RequestBytes.pull(database.target, request.encoded()))
    }

    func close() { http.close() }

    func connection(_ connection: HTTPClientConnection, received body: Span<UInt8>) {
        header.receive(body)
    }

    func connection(_ connection: HTTPClientConnection, finished head: HTTPResponseHead) {
        guard head.status == 200 else {
            return driver.waiterFailed(self, .status(head.status, ""))
        }
        guard header.isComplete else {
            return driver.waiterFailed(self, .refused("a pull answer without header"))
        }
        let isNew = header.message != lastMessage
        lastMessage = header.message
        isAwake = true
        if isNew {
            driver.waiterWoke(self, bytes: connection.bodySize)
        } else {
            // The server's limit for the wait.
            poll()
        }
    }

    func connection(_ connection: HTTPClientConnection, failed failure: ClientFailure) {
        driver.waiterFailed(self, failure)
    }
}
