internal import CLinux
internal import Glibc

/// The system calls of this module, in one place: each is repeated after `EINTR`, reports `errno`
/// as it was, and takes `EBADF` for what it is, a mistake of ours that may already have written to
/// somebody else's descriptor.
enum SystemCall {
    /// What a non-blocking call came to.
    enum Outcome {
        case value(Int)
        /// Nothing to be had right now.
        case wouldBlock
        case failed(Int32)
    }

    @inline(__always)
    private static func call(_ name: StaticString, _ body: () -> Int) -> Outcome {
        while true {
            let result = body()
            if result >= 0 { return .value(result) }
            let code = errno
            switch code {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EBADF: preconditionFailure("\(name) on a descriptor that is not open")
            default: return .failed(code)
            }
        }
    }

    private static func checked(
        _ name: StaticString, _ body: () -> Int32
    ) throws(TransportError) -> Int32 {
        switch call(name, { Int(body()) }) {
        case .value(let value): return Int32(value)
        case .wouldBlock: throw .systemCall(name: "\(name)", code: EAGAIN)
        case .failed(let code): throw .systemCall(name: "\(name)", code: code)
        }
    }

    /// Not repeated after `EINTR`: on Linux the descriptor is gone then, and its number may
    /// already be another's.
    static func close(_ descriptor: Int32) {
        if Glibc.close(descriptor) != 0 && errno == EBADF {
            preconditionFailure("close on a descriptor that is not open")
        }
    }

    // MARK: Waiting

    static func makeEpoll() throws(TransportError) -> Int32 {
        try checked("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) }
    }

    static func makeEvent() throws(TransportError) -> Int32 {
        try checked("eventfd") {
            eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        }
    }

    static func signal(event: Int32) {
        var one: UInt64 = 1
        _ = call("write") { unsafe Glibc.write(event, &one, 8) }
    }

    static func reset(event: Int32) {
        var value: UInt64 = 0
        _ = call("read") { unsafe Glibc.read(event, &value, 8) }
    }

    /// - Parameter token: comes back with every event of the descriptor.
    static func watch(
        _ descriptor: Int32, events: UInt32, token: UInt64, in epoll: Int32
    ) throws(TransportError) {
        var event = unsafe epoll_event(events: events, data: epoll_data_t(u64: token))
        _ = try checked("epoll_ctl") { unsafe epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) }
    }

    static func unwatch(_ descriptor: Int32, in epoll: Int32) {
        var event = unsafe epoll_event()
        _ = call("epoll_ctl") { unsafe Int(epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event)) }
    }

    /// Unlike the others it comes back from a signal, with 0, because the time-out would start
    /// over.
    static func wait(
        in epoll: Int32, events: UnsafeMutableBufferPointer<epoll_event>, milliseconds: Int32
    ) -> Int {
        let count = unsafe epoll_wait(epoll, events.baseAddress, Int32(events.count), milliseconds)
        if count >= 0 { return Int(count) }
        let code = errno
        precondition(code == EINTR, "epoll_wait failed with \(code)")
        return 0
    }

    /// As above, to the nanosecond; nil waits for an event alone.
    static func wait(
        in epoll: Int32, events: UnsafeMutableBufferPointer<epoll_event>, nanoseconds: UInt64?
    ) -> Int {
        let nanoseconds = nanoseconds.map { min($0, 1_000_000_000_000) }
        let count = unsafe clinux_epoll_wait_fine(
            epoll, events.baseAddress, Int32(events.count), nanoseconds.map { Int64($0) } ?? -1)
        if count >= 0 { return Int(count) }
        let code = errno
        precondition(code == EINTR, "epoll_pwait2 failed with \(code)")
        return 0
    }

    // MARK: Sockets

    static func makeSocket(family: Int32) throws(TransportError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        return try checked("socket") { socket(family, type, 0) }
    }

    static func bind(_ descriptor: Int32, to address: SocketAddress) throws(TransportError) {
        _ = try checked("bind") {
            unsafe address.withPointer { unsafe Glibc.bind(descriptor, $0, $1) }
        }
    }

    static func listen(_ descriptor: Int32, backlog: Int32) throws(TransportError) {
        _ = try checked("listen") { Glibc.listen(descriptor, backlog) }
    }

    static func localAddress(of descriptor: Int32) throws(TransportError) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        _ = try checked("getsockname") {
            unsafe withUnsafeMutablePointer(to: &storage) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe getsockname(descriptor, $0, &length)
                }
            }
        }
        return SocketAddress(storage: storage, length: length)
    }

    /// Begins to connect; a socket that does not block is connected once it is writable.
    static func connect(_ descriptor: Int32, to address: SocketAddress) -> Outcome {
        let outcome = call("connect") {
            unsafe address.withPointer { unsafe Int(Glibc.connect(descriptor, $0, $1)) }
        }
        if case .failed(EINPROGRESS) = outcome { return .wouldBlock }
        return outcome
    }

    /// The error that waits on a socket, which this clears (socket(7), SO_ERROR); 0 for none.
    static func takeError(of descriptor: Int32) -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        _ = call("getsockopt") {
            unsafe Int(getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length))
        }
        return code
    }

    static func accept(_ listener: Int32) -> Outcome {
        call("accept4") { Int(clinux_accept4(listener, nil, nil)) }
    }

    static func setOption(_ descriptor: Int32, level: Int32, name: Int32, value: Int32) {
        var value = value
        _ = call("setsockopt") {
            unsafe Int(
                setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)))
        }
    }

    /// Makes `close` drop what is unsent and send a reset (socket(7), SO_LINGER).
    static func resetOnClose(_ descriptor: Int32) {
        var value = linger(l_onoff: 1, l_linger: 0)
        _ = call("setsockopt") {
            unsafe Int(
                setsockopt(
                    descriptor, SOL_SOCKET, SO_LINGER, &value,
                    socklen_t(MemoryLayout<linger>.size)))
        }
    }

    static func shutdownWriting(_ descriptor: Int32) {
        // ENOTCONN after a reset is of no interest.
        _ = call("shutdown") { Int(shutdown(descriptor, Int32(SHUT_WR))) }
    }

    static func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Outcome
    {
        call("recv") { unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0) }
    }

    static func send(
        _ descriptor: Int32, _ pieces: UnsafeMutableBufferPointer<iovec>, moreFollows: Bool
    ) -> Outcome {
        var message = unsafe msghdr()
        unsafe message.msg_iov = pieces.baseAddress
        unsafe message.msg_iovlen = pieces.count
        let flags = Int(MSG_NOSIGNAL) | (moreFollows ? Int(MSG_MORE) : 0)
        return call("sendmsg") { unsafe sendmsg(descriptor, &message, Int32(flags)) }
    }

    /// Sends a part of a file without copying it (sendfile(2)); 0 if the file ends before it.
    static func sendFile(
        _ descriptor: Int32, from file: Int32, at offset: Int64, count: Int
    ) -> Outcome {
        var offset = off_t(offset)
        return call("sendfile") { unsafe sendfile(descriptor, file, &offset, count) }
    }

    /// Bytes that the peer has not acknowledged (tcp(7), SIOCOUTQ).
    static func unacknowledgedCount(_ descriptor: Int32) -> Int {
        var count: Int32 = 0
        _ = call("ioctl") { unsafe Int(clinux_unsent_count(descriptor, &count)) }
        return Int(count)
    }

    static func ignorePipeSignal() {
        _ = Glibc.signal(SIGPIPE, SIG_IGN)
    }

    // MARK: Time

    /// Nanoseconds of a clock that neither jumps nor runs backwards.
    static func monotonicTime() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Whole seconds since 1970, precise to a few milliseconds and therefore cheap.
    static func wallClockSeconds() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return Int(time.tv_sec)
    }
}
