/// What became possible on a descriptor.
struct SocketEvents: OptionSet {
    let rawValue: UInt8

    static let readable = SocketEvents(rawValue: 1)
    static let writable = SocketEvents(rawValue: 2)
    /// The peer will send no more.
    static let peerFinished = SocketEvents(rawValue: 4)
    /// Reset, or closed in both directions.
    static let failed = SocketEvents(rawValue: 8)
}

/// Owns a descriptor that an `EventLoop` watches. Called on the loop's thread only.
protocol EventHandler: AnyObject {
    func handle(_ events: SocketEvents)
}
