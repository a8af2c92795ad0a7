import Foundation
import Synchronization

/// A server that answers what it is told to, right or wrong, and then closes the connection or
/// leaves it open.
final class HostileServer: @unchecked Sendable {
    // @unchecked: the descriptor never changes; the rest is locked.

    let port: UInt16
    private let listener: Int32
    private let thread: Thread
    private let isDone = DispatchSemaphore(value: 0)

    /// - Parameter answer: all bytes of the answer to a request with this text.
    init(closes: Bool, answer: @escaping @Sendable (String) -> [UInt8]) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard listener >= 0, code else { throw BenchCall.Failure(text: "cannot listen") }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        let isDone = isDone
        thread = Thread { Self.serve(listener, closes, isDone, answer) }
        thread.start()
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        isDone.wait()
        close(listener)
    }

    /// One connection after the other.
    private static func serve(
        _ listener: Int32, _ closes: Bool, _ isDone: DispatchSemaphore,
        _ answer: (String) -> [UInt8]
    ) {
        var open: [Int32] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else {
                close(connection)
                continue
            }
            let bytes = answer(String(decoding: buffer[..<count], as: UTF8.self))
            _ = bytes.withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if closes { close(connection) } else { open.append(connection) }
        }
        for connection in open { close(connection) }
        isDone.signal()
    }
}
