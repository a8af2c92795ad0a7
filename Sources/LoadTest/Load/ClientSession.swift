package import HTTP

/// What one virtual client of a workload says, request by request, and what it makes of the
/// answers. It knows no sockets and no clocks. Loop's thread only.
package protocol ClientSession: AnyObject {
    /// The next request. The first one after an operation was completed, or has failed, begins
    /// another operation.
    func nextRequest() -> [UInt8]

    /// A piece of the body of an answer with an accepted status.
    func receive(_ body: Span<UInt8>)

    /// The answer is complete.
    func finish(_ head: HTTPResponseHead) -> SessionVerdict

    /// The request was not answered, or not as it should be.
    func fail()

    /// The operation's answers may have this status.
    func accepts(status: Int) -> Bool
    /// Every operation takes a new connection.
    var needsNewConnection: Bool { get }
}

/// What an answer means for the operation.
package enum SessionVerdict: Equatable {
    /// It is done; the index of its kind among those of the workload.
    case completed(kind: Int)
    /// It takes another request.
    case continues
    case failed(String)
}

extension ClientSession {
    package func receive(_ body: Span<UInt8>) {}
    package func fail() {}
    package func accepts(status: Int) -> Bool { status == 200 }
    package var needsNewConnection: Bool { false }
}
