internal import Dispatch
internal import HTTP
internal import Synchronization
package import Transport

/// A client for what surrounds the measurement: preparing databases, and checking them. It waits
/// for each answer.
///
/// `@unchecked Sendable`: the loop synchronises itself, and nothing else is kept.
package final class ControlClient: @unchecked Sendable {
    package struct Reply {
        package let status: Int
        package let body: [UInt8]
        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// Of an answer that is kept whole.
    private static let maximumBodySize = 1 << 30

    private let loop: EventLoop
    private let timeoutSeconds: Int

    /// - Parameter timeoutSeconds: for one answer.
    package init(timeoutSeconds: Int = 600) throws(TransportError) {
        self.timeoutSeconds = timeoutSeconds
        loop = try EventLoop(readBufferSize: 256 * 1024)
        loop.start(name: "control")
    }

    package func stop() { loop.stop() }

    /// The addresses of a name are asked for, so this may take a while.
    package static func resolve(_ target: TargetURL) throws(BenchError) -> SocketAddress {
        do throws(TransportError) {
            let all = try SocketAddress.resolve(host: target.host, port: target.port)
            guard let first = all.first else {
                throw TransportError.unknownHost(target.host, reason: "no address")
            }
            return first
        } catch {
            throw .unreachable("\(error)")
        }
    }

    /// Sends a request and returns its answer, whatever its status.
    package func send(_ request: [UInt8], to target: TargetURL) throws(BenchError) -> Reply {
        let body = Mutex<[UInt8]>([])
        let isTooLarge = Atomic<Bool>(false)
        let status = try stream(request, to: target) { piece in
            body.withLock { body in
                guard body.count + piece.count <= Self.maximumBodySize else {
                    isTooLarge.store(true, ordering: .relaxed)
                    return false
                }
                unsafe piece.withUnsafeBufferPointer { unsafe body.append(contentsOf: $0) }
                return true
            }
        }
        guard !isTooLarge.load(ordering: .relaxed) else {
            throw .server("the answer of \(target.authority) is too large")
        }
        return Reply(status: status, body: body.withLock { $0 })
    }

    /// As above; pieces of the body go to `receive`, on the loop's thread, until it says that it
    /// has enough.
    ///
    /// - Parameter nextPiece: more of the request's body, until it is empty.
    package func stream(
        _ request: [UInt8], to target: TargetURL, nextPiece: (@Sendable () -> [UInt8])? = nil,
        receive: @escaping @Sendable (Span<UInt8>) -> Bool
    ) throws(BenchError) -> Int {
        let address = try Self.resolve(target)
        let call = Call(receive: receive)
        loop.post {
            call.begin(on: self.loop, address: address, request: request, nextPiece: nextPiece)
        }
        guard call.isDone.wait(timeout: .now() + .seconds(timeoutSeconds)) == .success else {
            loop.post { call.giveUp() }
            throw .server("\(target.authority) did not answer in \(timeoutSeconds) s")
        }
        switch call.result.withLock({ $0 }) {
        case .success(let status): return status
        case .failure(.notConnected(let text)):
            throw .unreachable("\(target.authority): \(text)")
        case .failure(let failure): throw .server("\(target.authority): \(failure)")
        case nil: preconditionFailure("a call that is done has a result")
        }
    }

    /// `@unchecked Sendable`: belongs to the loop's thread but for `result` and `isDone`.
    private final class Call: HTTPClientOwner, @unchecked Sendable {
        let result = Mutex<Result<Int, ClientFailure>?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        private let receive: @Sendable (Span<UInt8>) -> Bool
        private var hasEnough = false
        private var http: HTTPClientConnection?

        init(receive: @escaping @Sendable (Span<UInt8>) -> Bool) { self.receive = receive }

        func begin(
            on loop: EventLoop, address: SocketAddress, request: [UInt8],
            nextPiece: (@Sendable () -> [UInt8])?
        ) {
            let http = HTTPClientConnection(loop: loop, address: address, owner: self)
            self.http = http
            http.nextPiece = nextPiece
            http.send(request)
        }

        func giveUp() { http?.close(reset: true) }

        func connection(_ connection: HTTPClientConnection, received body: Span<UInt8>) {
            guard !hasEnough, !receive(body), let head = connection.head else { return }
            hasEnough = true
            connection.close(reset: true)
            end(.success(head.status))
        }

        func connection(_ connection: HTTPClientConnection, finished head: HTTPResponseHead) {
            end(.success(head.status))
        }

        func connection(_ connection: HTTPClientConnection, failed failure: ClientFailure) {
            end(.failure(failure))
        }

        private func end(_ value: Result<Int, ClientFailure>) {
            guard result.withLock({ $0 == nil }) else { return }
            http?.close()
            result.withLock { $0 = value }
            isDone.signal()
        }
    }
}
