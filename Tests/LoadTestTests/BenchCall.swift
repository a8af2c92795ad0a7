import Foundation
import Synchronization

@testable import CommandLineOptions
@testable import LoadTest

/// One call of the tool, as its `main` makes it.
struct BenchCall {
    let exitCode: Int32
    let output: String
    let errors: String

    init(_ arguments: [String]) {
        let texts = Texts()
        let console = Console(
            writeOutput: { text in texts.value.withLock { $0.output += text } },
            writeError: { text in texts.value.withLock { $0.errors += text } },
            readAnswer: { nil }, isInputTerminal: false, isErrorTerminal: false)
        exitCode = BenchTool.run(arguments, console: console)
        (output, errors) = texts.value.withLock { $0 }
    }

    private final class Texts: Sendable {
        let value = Mutex((output: "", errors: ""))
    }

    /// Against a server of its own; the result comes as JSON.
    static func measure(_ arguments: [String]) throws -> (call: BenchCall, result: BenchResult) {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("bench-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        let call = BenchCall(
            arguments + ["--start-server", server, "--json", file.path, "--timeout", "20s"])
        guard let bytes = try? Data(contentsOf: file) else {
            throw Failure(text: "exit code \(call.exitCode): \(call.errors)")
        }
        return (call, try BenchResult(json: Array(bytes)))
    }

    struct Failure: Error { let text: String }

    /// Built beside the executable of the tests.
    private static var server: String {
        let tests = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
        return tests.deletingLastPathComponent().appendingPathComponent("tidemark").path
    }
}
