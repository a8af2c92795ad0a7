import Foundation

/// One run of the executable: its streams, signals and exit.
final class ServerProcess {
    private let process = Process()
    private let output = Pipe()
    private let errorFile: String
    private let hasExited = DispatchSemaphore(value: 0)
    private var pending: [UInt8] = []

    /// Far longer than anything takes: a test that waits in vain fails instead of hanging.
    static let patience = 40

    var processIdentifier: Int32 { process.processIdentifier }

    /// - Parameter errorFile: takes what the process writes to stderr.
    init(arguments: [String], errorFile: String, shell: RunningServer.Shell? = nil) throws {
        self.errorFile = errorFile
        if let shell {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments =
                ["-c", "\(shell.prologue); exec \"$0\" \"$@\"", Self.executable.path] + arguments
        } else {
            process.executableURL = Self.executable
            process.arguments = arguments
        }
        try Data().write(to: URL(fileURLWithPath: errorFile))
        process.standardError = FileHandle(forWritingAtPath: errorFile)
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        let hasExited = hasExited
        process.terminationHandler = { _ in hasExited.signal() }
        try process.run()
    }

    /// Built beside the executable of the tests.
    static var executable: URL {
        let tests = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
        return tests.deletingLastPathComponent().appendingPathComponent("tidemark")
    }

    var errors: String {
        String(decoding: FileManager.default.contents(atPath: errorFile) ?? Data(), as: UTF8.self)
    }

    /// The next line of stdout, without its end; nil if none comes.
    func readLine() -> String? {
        let descriptor = output.fileHandleForReading.fileDescriptor
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                defer { pending.removeFirst(end + 1) }
                return String(decoding: pending[..<end], as: UTF8.self)
            }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Int32(Self.patience * 1000)) == 1 else { return nil }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return nil }
            pending += buffer[..<count]
        }
    }

    func send(_ signal: Int32) { Foundation.kill(process.processIdentifier, signal) }

    func kill() {
        send(SIGKILL)
        _ = waitForExit()
    }

    /// The exit code; 128 + signal if a signal ended it, or it had to be ended.
    func waitForExit() -> Int32 {
        if hasExited.wait(timeout: .now() + .seconds(Self.patience)) == .timedOut {
            send(SIGKILL)
            hasExited.wait()
        }
        hasExited.signal()
        let status = process.terminationStatus
        return process.terminationReason == .uncaughtSignal ? 128 + status : status
    }

    /// Runs the executable to its end.
    static func run(
        _ arguments: [String], in folder: TemporaryFolder
    ) throws -> (exitCode: Int32, errors: String) {
        let process = try ServerProcess(arguments: arguments, errorFile: folder.path("run-stderr"))
        return (process.waitForExit(), process.errors)
    }
}
