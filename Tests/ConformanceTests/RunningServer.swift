import Foundation
import XCTest

/// The built executable, serving a data directory on free ports of this machine.
final class RunningServer: @unchecked Sendable {
    // @unchecked: started and stopped by one test at a time; the ports never change.

    struct StartFailure: Error, CustomStringConvertible {
        let description: String
    }

    /// What happens to the process before the server runs in it; empty for nothing.
    struct Shell {
        let prologue: String
    }

    let folder: TemporaryFolder
    let http: UInt16
    let admin: UInt16
    private let process: ServerProcess

    var dataDirectory: String { folder.path("data") }
    var processIdentifier: Int32 { process.processIdentifier }
    /// What the server wrote to stderr so far.
    var log: String { process.errors }

    /// Returns when the server says that it is ready.
    ///
    /// - Parameters:
    ///   - folder: holds the data directory; that of an earlier server to start on its data.
    ///   - arguments: more options of `serve`.
    init(
        folder: TemporaryFolder? = nil, arguments: [String] = [], shell: Shell? = nil
    ) throws {
        let folder = try folder ?? TemporaryFolder()
        self.folder = folder
        process = try ServerProcess(
            arguments: Self.arguments(data: folder.path("data")) + arguments,
            errorFile: folder.path("stderr"), shell: shell)
        // `ready http=HOST:PORT admin=HOST:PORT`
        guard let line = process.readLine(), line.hasPrefix("ready ") else {
            process.kill()
            throw StartFailure(description: "the server did not start: \(process.errors)")
        }
        let ports = line.split(separator: ":").dropFirst()
            .compactMap { UInt16($0.prefix { $0.isNumber }) }
        guard ports.count == 2 else { throw StartFailure(description: "odd line: \(line)") }
        (http, admin) = (ports[0], ports[1])
    }

    static func arguments(data: String) -> [String] {
        ["serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    }

    /// Ends the server in an orderly way and returns its exit code.
    @discardableResult
    func stop() -> Int32 {
        process.send(SIGTERM)
        return process.waitForExit()
    }

    func send(_ signal: Int32) { process.send(signal) }
    func waitForExit() -> Int32 { process.waitForExit() }

    /// Ends it as a power cut ends a process.
    func kill() { process.kill() }

    /// Ends it and starts it again on the same data; `isKilled` leaves it no time to tidy up.
    func restarted(isKilled: Bool = false, arguments: [String] = []) throws -> RunningServer {
        if isKilled {
            kill()
        } else {
            XCTAssertEqual(stop(), 0, log)
        }
        return try RunningServer(folder: folder, arguments: arguments)
    }

    /// Every file and folder in the data directory, relative to it.
    var dataFiles: Set<String> {
        Set(FileManager.default.enumerator(atPath: dataDirectory)?.compactMap { $0 as? String } ?? [])
    }
}
