import Glibc
import XCTest

/// A blocking client over one TCP connection to this machine. Reads give up after 20 seconds, so a
/// test that waits for something that never comes fails instead of hanging.
final class TestClient {
    struct Reply {
        var status = 0
        var head = ""
        var fields: [String: String] = [:]
        var body: [UInt8] = []
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    enum Failure: Error, Equatable {
        /// The connection ended, after that many bytes of what was awaited.
        case ended
        case reset
        case timedOut
    }

    private var descriptor: Int32
    private var received: [UInt8] = []

    /// Opens the socket without connecting it.
    init() {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        precondition(descriptor >= 0)
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, length)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, length)
    }

    /// - Parameter receiveBuffer: the kernel's buffer for this client, in bytes; its default if
    ///   nil.
    convenience init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        self.init()
        if var size = receiveBuffer {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        try connect(port: port)
    }

    func connect(port: UInt16) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 { throw Failure.reset }
    }

    deinit { close() }

    func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Closes with a reset, as a crashing client does.
    func reset() {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    func finishSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let sent = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress! + offset, bytes.count - offset,
                    Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { throw errno == EAGAIN ? Failure.timedOut : Failure.reset }
            offset += sent
        }
    }

    /// Sends what the kernels on both sides take without anybody reading; returns how much.
    func sendWithoutWaiting(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes {
            max(
                0,
                Glibc.send(
                    descriptor, $0.baseAddress, bytes.count,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)))
        }
    }

    private func receiveMore() throws {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count == 0 { throw Failure.ended }
        guard count > 0 else { throw errno == EAGAIN ? Failure.timedOut : Failure.reset }
        received += buffer[..<count]
    }

    func read(_ count: Int) throws -> [UInt8] {
        while received.count < count { try receiveMore() }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    private func readLine() throws -> String {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                received.removeSubrange(...end)
                precondition(line.hasSuffix("\r") || line.unicodeScalars.last == "\r")
                return String(line.unicodeScalars.dropLast())
            }
            try receiveMore()
        }
    }

    func readHead() throws -> Reply {
        var reply = Reply()
        reply.head = try readLine()
        reply.status = Int(reply.head.split(separator: " ")[1]) ?? 0
        while case let line = try readLine(), !line.isEmpty {
            reply.head += "\n" + line
            let parts = line.split(separator: ":", maxSplits: 1)
            reply.fields[String(parts[0])] = String(parts[1].drop { $0 == " " })
        }
        return reply
    }

    /// One chunk; empty for the last, whose end is read too.
    func readChunk() throws -> [UInt8] {
        let size = Int(try readLine(), radix: 16) ?? -1
        let bytes = try read(size)
        _ = try readLine()
        return bytes
    }

    /// A whole answer.
    ///
    /// - Parameter hasBody: false after HEAD.
    func readReply(hasBody: Bool = true) throws -> Reply {
        var reply = try readHead()
        guard hasBody else { return reply }
        if reply.fields["transfer-encoding"] == "chunked" {
            while case let chunk = try readChunk(), !chunk.isEmpty { reply.body += chunk }
        } else if let length = reply.fields["content-length"].flatMap({ Int($0) }) {
            reply.body = try read(length)
        } else if reply.status != 204 && reply.status != 304 {
            reply.body = try readToEnd()
        }
        return reply
    }

    /// What comes until the server closes in an orderly way.
    func readToEnd() throws -> [UInt8] {
        do {
            while true { try receiveMore() }
        } catch Failure.ended {
            defer { received = [] }
            return received
        }
    }

    /// True if the connection was closed or reset, with nothing left unread.
    func isClosedByServer() -> Bool {
        do {
            return try readToEnd().isEmpty
        } catch {
            return error as? Failure == .reset && received.isEmpty
        }
    }

    func get(_ path: String, _ fields: String = "") throws -> Reply {
        try send("GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        return try readReply()
    }
}
