internal import Glibc
internal import Synchronization

/// A `tidemark serve` of our own, on free ports of this machine, over an empty data directory.
package final class ServerChild: Sendable {
    private static let startMilliseconds: Int32 = 30_000
    /// Until a server that was told to stop is killed.
    private static let stopMilliseconds = 20_000

    package let processIdentifier: Int32
    package let http: TargetURL
    package let admin: TargetURL
    private let output: Int32
    private let isStopped = Atomic<Bool>(false)

    /// Returns when the server says that it is ready.
    ///
    /// - Parameters:
    ///   - flags: more options of `serve`.
    ///   - directory: for the server's data and its log; whoever made it removes it.
    package init(executable: String, flags: [String], directory: String) throws(BenchError) {
        guard unsafe access(executable, X_OK) == 0 else {
            throw .noInput("\(executable): \(unsafe String(cString: strerror(errno)))")
        }
        var ends: [Int32] = [-1, -1]
        guard Self.makePipe(&ends) == 0 else { throw .file("cannot make a pipe") }
        output = ends[0]
        let log = directory + "/log"
        let arguments =
            [
                executable, "serve", "--data", directory + "/data",
                "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
            ] + flags
        let started = Spawn.run(arguments, standardOutput: ends[1], standardError: log)
        close(ends[1])
        guard case .success(let identifier) = started else {
            close(ends[0])
            throw .unreachable("\(executable) does not start")
        }
        processIdentifier = identifier
        let line = Self.readLine(ends[0])
        // `ready http=HOST:PORT admin=HOST:PORT`
        let words = line.split(separator: " ")
        func address(_ prefix: String) -> TargetURL? {
            words.first { $0.hasPrefix(prefix) }
                .flatMap { try? TargetURL(optionText: "http://\($0.dropFirst(prefix.count))") }
        }
        guard words.first == "ready", let http = address("http="), let admin = address("admin=")
        else {
            let text = TextFile.read(log) ?? ""
            Self.end(identifier)
            close(ends[0])
            throw .unreachable("\(executable) did not start:\n\(text)")
        }
        self.http = http
        self.admin = admin
    }

    /// From any thread; does nothing the second time.
    package func stop() {
        guard !isStopped.exchange(true, ordering: .relaxed) else { return }
        Self.end(processIdentifier)
        close(output)
    }

    private static func end(_ identifier: Int32) {
        kill(identifier, SIGTERM)
        for _ in 0..<stopMilliseconds / 10 {
            if waitpid(identifier, nil, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        kill(identifier, SIGKILL)
        waitpid(identifier, nil, 0)
    }

    /// What comes up to the end of a line; less if that is all there is in time.
    private static func readLine(_ descriptor: Int32) -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 4096 {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&entry, 1, startMilliseconds) == 1,
                unsafe read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n")
            else { break }
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }

    private static func makePipe(_ ends: inout [Int32]) -> Int32 {
        let code = unsafe pipe(&ends)
        for end in ends where code == 0 { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return code
    }
}
