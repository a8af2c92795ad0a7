import Synchronization

@testable import CommandLineOptions
@testable import tidemark

/// Runs the command line as the process would, with its streams and its server replaced.
struct CommandRun {
    let exitCode: Int32
    let output: String
    let errors: String

    private final class Recorder: Sendable {
        let output = Mutex("")
        let errors = Mutex("")
        let served = Mutex<ServeConfiguration?>(nil)
        let openedDirectory = Mutex<String?>(nil)
    }

    private let recorder: Recorder

    /// What `serve` was called with; nil if it was not.
    var served: ServeConfiguration? { recorder.served.withLock { $0 } }
    /// The data directory that was opened; nil if none was.
    var openedDirectory: String? { recorder.openedDirectory.withLock { $0 } }

    init(
        _ arguments: [String], environment: [String: String] = [:], answer: String? = nil,
        isTerminal: Bool = false, administration: (any DatabaseAdministration & Sendable)? = nil
    ) {
        let recorder = Recorder()
        let context = CommandContext(
            console: Console(
                writeOutput: { text in recorder.output.withLock { $0 += text } },
                writeError: { text in recorder.errors.withLock { $0 += text } },
                readAnswer: { answer }, isInputTerminal: answer != nil,
                isErrorTerminal: isTerminal),
            environment: environment,
            serve: { configuration in
                recorder.served.withLock { $0 = configuration }
                return 0
            },
            openDataDirectory: { path in
                recorder.openedDirectory.withLock { $0 = path }
                guard let administration else {
                    throw AdministrationError.dataDirectoryInUse(path: path)
                }
                return administration
            })
        exitCode = CommandLineTool.run(arguments, context)
        output = recorder.output.withLock { $0 }
        errors = recorder.errors.withLock { $0 }
        self.recorder = recorder
    }
}
