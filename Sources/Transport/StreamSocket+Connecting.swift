internal import CLinux
internal import Glibc

/// The client's end.
extension StreamSocket {
    /// Begins to connect. What is enqueued meanwhile goes out once the connection is there, which
    /// `isConnected` tells; `hasFailed` tells that it is not coming, and `failureText` why.
    ///
    /// - Throws: the system has no room for another socket, or no route.
    package static func connect(
        to address: SocketAddress, loop: EventLoop
    ) throws(TransportError) -> StreamSocket {
        assert(loop.isCurrent)
        let descriptor = try SystemCall.makeSocket(family: address.family)
        SystemCall.setOption(descriptor, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, value: 1)
        if case .failed(let code) = SystemCall.connect(descriptor, to: address) {
            SystemCall.close(descriptor)
            throw .systemCall(name: "connect", code: code)
        }
        return StreamSocket(descriptor: descriptor, loop: loop, isConnected: false) {}
    }

    /// Why the connection failed, as the system says it; clears what it tells.
    package var failureText: String {
        let code = SystemCall.takeError(of: descriptor)
        return code == 0 ? "connection lost" : unsafe String(cString: strerror(code))
    }
}
