import Dispatch
import Foundation
import Glibc
import Synchronization
import XCTest

/// An HTTP server on a free loopback port that plays a script: one canned answer a connection. It
/// keeps what it was asked.
final class ScriptedServer: Sendable {
    struct Request: Equatable, Sendable {
        var line = ""
        /// Names in lower case.
        var headers: [String: String] = [:]
        var body: [UInt8] = []
    }

    /// How to treat one connection.
    enum Step: Sendable {
        /// Read the whole request, then send these bytes and close.
        case answer(String)
        /// Send these bytes after the headers of the request, without reading its body.
        case answerEarly(String)
        /// Send these bytes, then wait until the client goes away.
        case stall(String)
    }

    let url: String
    private let requests = Mutex<[Request]>([])
    private let listener: Int32
    private let done = DispatchGroup()
    private let stalled = DispatchSemaphore(value: 0)

    init(_ script: [Step]) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        try XCTSkipUnless(result, "no loopback network")
        self.listener = listener
        url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        done.enter()
        DispatchQueue(label: "scripted-server").async {
            for step in script { self.serve(step) }
            close(listener)
            self.done.leave()
        }
    }

    /// What arrived, once the whole script was played.
    func finish() -> [Request] {
        done.wait()
        return requests.withLock { $0 }
    }

    /// Waits until a `stall` step has sent its bytes.
    func waitUntilStalled() { stalled.wait() }

    private func serve(_ step: Step) {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        defer { close(client) }
        var request = Request()
        var buffered = readHead(client, &request)
        switch step {
        case .answer(let text):
            readBody(client, &request, &buffered)
            send(client, text)
        case .answerEarly(let text):
            send(client, text)
            // Closing with unread bytes resets the connection; a real server drains it too.
            shutdown(client, Int32(SHUT_WR))
            while receive(client, &buffered) {}
        case .stall(let text):
            send(client, text)
            stalled.signal()
            while receive(client, &buffered) {}
        }
        requests.withLock { $0.append(request) }
    }

    /// The bytes behind the head.
    private func readHead(_ client: Int32, _ request: inout Request) -> [UInt8] {
        var bytes: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let range = bytes.firstRange(of: end) {
                let lines = String(decoding: bytes[..<range.lowerBound], as: UTF8.self)
                    .components(separatedBy: "\r\n")
                request.line = lines[0]
                for line in lines.dropFirst() {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    request.headers[parts[0].lowercased()] =
                        parts[1].trimmingCharacters(in: .whitespaces)
                }
                return Array(bytes[range.upperBound...])
            }
            guard receive(client, &bytes) else { return [] }
        }
    }

    private func readBody(_ client: Int32, _ request: inout Request, _ buffered: inout [UInt8]) {
        let length = Int(request.headers["content-length"] ?? "0") ?? 0
        if request.headers["expect"] == "100-continue" {
            send(client, "HTTP/1.1 100 Continue\r\n\r\n")
        }
        while buffered.count < length, receive(client, &buffered) {}
        request.body = Array(buffered.prefix(length))
    }

    private func receive(_ client: Int32, _ bytes: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = read(client, &buffer, buffer.count)
        guard count > 0 else { return false }
        bytes += buffer[..<count]
        return true
    }

    private func send(_ client: Int32, _ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

extension ScriptedServer.Step {
    static func json(_ status: Int, _ body: String) -> Self {
        .answer(
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)")
    }

    static let noDatabases = json(200, #"{"namespaces":[]}"#)
}
