internal import Glibc
package import Primitives

/// Told when something about its socket has changed: bytes may be there, bytes may go out, the
/// peer may be gone. Called on the loop's thread.
package protocol StreamSocketDelegate: AnyObject {
    func socketDidChange(_ socket: StreamSocket)
}

/// One TCP connection, accepted or made: non-blocking reads, and a queue of bytes to write.
///
/// It says what is possible and does what it is told; what to do is the delegate's decision.
/// Events are edge-triggered, so a socket that is not read because its owner is busy costs
/// nothing: `isReadable` remembers that there is something.
///
/// Loop's thread only. Invariant: `descriptor` is open until `close`, and nothing is called on it
/// afterwards.
package final class StreamSocket: EventHandler {
    package enum ReadResult {
        case bytes
        /// Nothing more for now.
        case nothing
        /// The peer has sent everything it ever will.
        case end
        case failed
    }

    package let loop: EventLoop
    let descriptor: Int32
    private weak var delegate: (any StreamSocketDelegate)?
    private var output = OutputQueue()
    private var isWatched = false
    private let onClose: () -> Void
    private var lastUnacknowledgedCount = 0

    package private(set) var isOpen = true
    /// A read may bring something.
    package private(set) var isReadable = false
    private var isWritable: Bool
    /// False while it is being made.
    package private(set) var isConnected: Bool
    /// The peer has finished sending; bytes of it may still be unread.
    package private(set) var peerHasFinished = false
    /// Reset by the peer, or otherwise dead: close it.
    package private(set) var hasFailed = false
    /// When the peer last took bytes, in nanoseconds of the loop's clock.
    package private(set) var lastWriteProgress: UInt64 = 0

    /// - Parameters:
    ///   - descriptor: a connected non-blocking socket, owned from here on.
    ///   - isConnected: false if the connection is still being made.
    ///   - onClose: called once, when it is closed.
    init(
        descriptor: Int32, loop: EventLoop, isConnected: Bool = true,
        onClose: @escaping () -> Void
    ) {
        self.descriptor = descriptor
        self.isConnected = isConnected
        isWritable = isConnected
        self.loop = loop
        self.onClose = onClose
    }

    deinit {
        assert(!isOpen, "a socket was dropped without being closed")
    }

    /// Begins to report events. False if the kernel has no room for it; then close it.
    ///
    /// The loop keeps the socket until it is closed, but not the delegate.
    package func start(delegate: any StreamSocketDelegate) -> Bool {
        self.delegate = delegate
        do throws(TransportError) {
            try loop.watch(
                descriptor, for: [.readable, .writable, .peerFinished], edgeTriggered: true,
                handler: self)
            isWatched = true
            return true
        } catch {
            return false
        }
    }

    func handle(_ events: SocketEvents) {
        if events.contains(.readable) { isReadable = true }
        if events.contains(.writable) { isWritable = true }
        if events.contains(.peerFinished) {
            peerHasFinished = true
            isReadable = true
        }
        if events.contains(.failed) {
            hasFailed = true
        } else if events.contains(.writable) {
            isConnected = true
        }
        delegate?.socketDidChange(self)
    }

    // MARK: Reading

    /// Makes the owner try a read without waiting for an event.
    package func assumeReadable() {
        isReadable = true
    }

    /// Reads once and passes what came to `body`, which must not keep it.
    package func read(_ body: (Span<UInt8>) -> Void) -> ReadResult {
        precondition(isOpen)
        let buffer = unsafe loop.readBuffer
        switch unsafe SystemCall.receive(descriptor, into: buffer) {
        case .value(0):
            isReadable = false
            peerHasFinished = true
            return .end
        case .value(let count):
            // A read that does not fill the buffer has emptied the socket (epoll(7)); only the
            // end, once announced, is still to be fetched.
            if count < buffer.count && !peerHasFinished { isReadable = false }
            unsafe body(buffer.bindMemory(to: UInt8.self).span.extracting(0..<count))
            return .bytes
        case .wouldBlock:
            isReadable = false
            return .nothing
        case .failed:
            hasFailed = true
            return .failed
        }
    }

    // MARK: Writing

    /// Bytes that the kernel has not taken, and those of them that are in memory.
    package var queuedCount: Int { output.count }
    package var queuedMemoryCount: Int { output.memoryCount }

    /// Puts bytes behind those that wait; `flush` sends them.
    package func enqueue(_ bytes: [UInt8]) {
        if output.isEmpty { lastWriteProgress = loop.now }
        output.append(bytes)
    }

    /// Puts a part of a file behind what waits. It should be in the page cache: the loop would wait
    /// for the disk.
    package func enqueue(_ region: FileRegion) {
        if output.isEmpty { lastWriteProgress = loop.now }
        output.append(region)
    }

    /// Sends what the kernel takes. False if the connection is dead.
    ///
    /// - Parameter limit: bytes after which it is another socket's turn; what was sent is taken
    ///   off. With 0 left there may be more that the kernel would take.
    package func flush(limit: inout Int) -> Bool {
        precondition(isOpen)
        while !output.isEmpty && isWritable && limit > 0 {
            switch sendFirst(limit: limit) {
            case .value(let sent):
                output.consume(sent)
                limit = max(0, limit - sent)
                lastWriteProgress = loop.now
            case .wouldBlock:
                isWritable = false
                lastUnacknowledgedCount = SystemCall.unacknowledgedCount(descriptor)
            case .failed:
                hasFailed = true
                return false
            }
        }
        return true
    }

    /// The same without a limit.
    package func flush() -> Bool {
        var limit = Int.max
        return flush(limit: &limit)
    }

    private func sendFirst(limit: Int) -> SystemCall.Outcome {
        guard let (region, sentCount) = output.firstRegion else {
            return unsafe output.withPieces {
                unsafe SystemCall.send(descriptor, $0, moreFollows: $1)
            }
        }
        let outcome = SystemCall.sendFile(
            descriptor, from: region.descriptor.number, at: region.offset + Int64(sentCount),
            count: min(limit, region.count - sentCount))
        // The file ends where it must not.
        if case .value(0) = outcome { return .failed(EIO) }
        return outcome
    }

    /// Looks whether the peer has taken bytes that the kernel had taken from us. The kernel only
    /// asks for more once a good part of its buffer is free, which with a slow reader can be a
    /// long time.
    package func checkWriteProgress() {
        let count = SystemCall.unacknowledgedCount(descriptor)
        if count < lastUnacknowledgedCount { lastWriteProgress = loop.now }
        lastUnacknowledgedCount = count
    }

    // MARK: Closing

    /// Tells the peer that nothing more comes. The queue must be empty.
    package func finishWriting() {
        precondition(isOpen && output.isEmpty)
        SystemCall.shutdownWriting(descriptor)
    }

    /// - Parameter reset: drop what the peer has not taken and let it see an error rather than an
    ///   end.
    package func close(reset: Bool = false) {
        guard isOpen else { return }
        isOpen = false
        output.removeAll()
        if reset { SystemCall.resetOnClose(descriptor) }
        if isWatched { loop.unwatch(descriptor) }
        SystemCall.close(descriptor)
        onClose()
    }
}
