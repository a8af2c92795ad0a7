import Foundation

/// A blocking client over one TCP connection to this machine that sends exactly the bytes it is
/// given. Reads give up after a while, so that a test that waits in vain fails instead of hanging.
final class RawClient {
    enum Failure: Error, Equatable {
        case ended, reset, timedOut, malformed
    }

    private var descriptor: Int32
    private var received: [UInt8] = []

    /// - Parameter receiveBuffer: bytes that the kernel keeps for this client; its default if nil.
    init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure.reset }
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, length)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, length)
        if var size = receiveBuffer {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 { throw Failure.reset }
    }

    deinit { close() }

    func close() {
        guard descriptor >= 0 else { return }
        Foundation.close(descriptor)
        descriptor = -1
    }

    /// Closes with a reset, as a client does that crashes.
    func reset() {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    // MARK: sending

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let sent = bytes.withUnsafeBytes {
                Foundation.send(
                    descriptor, $0.baseAddress! + offset, bytes.count - offset,
                    Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { throw errno == EAGAIN ? Failure.timedOut : Failure.reset }
            offset += sent
        }
    }

    /// A well-formed request with a Content-Length.
    static func request(
        _ method: String, _ path: String, _ fields: [String] = [], body: [UInt8]? = nil
    ) -> [UInt8] {
        var lines = ["\(method) \(path) HTTP/1.1"]
        if !fields.contains(where: { $0.lowercased().hasPrefix("host:") }) {
            lines.append("Host: 127.0.0.1")
        }
        lines += fields
        if let body { lines.append("Content-Length: \(body.count)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? [])
    }

    // MARK: receiving

    private func receiveMore() throws {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count == 0 { throw Failure.ended }
        guard count > 0 else { throw errno == EAGAIN ? Failure.timedOut : Failure.reset }
        received += buffer[..<count]
    }

    private func read(_ count: Int) throws -> [UInt8] {
        while received.count < count { try receiveMore() }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    private func readLine() throws -> String {
        var searched = 0
        while true {
            if let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                guard end > 0, received[end - 1] == UInt8(ascii: "\r") else {
                    throw Failure.malformed
                }
                defer { received.removeSubrange(...end) }
                return String(decoding: received[..<(end - 1)], as: UTF8.self)
            }
            searched = received.count
            try receiveMore()
        }
    }

    func readHead() throws -> HTTPReply {
        var reply = HTTPReply()
        let words = try readLine().split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw Failure.malformed
        }
        reply.status = status
        while case let line = try readLine(), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { throw Failure.malformed }
            reply.fields.append((parts[0].lowercased(), String(parts[1].drop { $0 == " " })))
        }
        return reply
    }

    /// A whole answer, or as much of it as came.
    ///
    /// - Parameter hasBody: false after HEAD.
    func readReply(hasBody: Bool = true) throws -> HTTPReply {
        var reply = try readHead()
        if hasBody { try readBody(of: &reply) }
        return reply
    }

    func readBody(of reply: inout HTTPReply) throws {
        if reply["transfer-encoding"] == "chunked" {
            reply.chunkSizes = []
            do {
                while try readChunk(into: &reply) {}
            } catch Failure.ended, Failure.reset {
                reply.isComplete = false
                reply.body += received
                received = []
            }
        } else if let length = reply["content-length"].flatMap({ Int($0) }) {
            reply.body = try read(length)
        } else if reply.status != 204 {
            throw Failure.malformed
        }
    }

    /// False for the final chunk.
    private func readChunk(into reply: inout HTTPReply) throws -> Bool {
        guard let size = Int(try readLine(), radix: 16) else { throw Failure.malformed }
        reply.body += try read(size)
        guard try readLine().isEmpty else { throw Failure.malformed }
        if size > 0 { reply.chunkSizes?.append(size) }
        return size > 0
    }

    /// True if the server closed or reset the connection with nothing left unread.
    func isClosedByServer() -> Bool {
        do {
            try receiveMore()
            return false
        } catch {
            return (error as? Failure == .ended || error as? Failure == .reset) && received.isEmpty
        }
    }
}
