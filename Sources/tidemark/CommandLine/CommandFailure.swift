/// Why a command gave up: what standard error says, and how the process exits.
struct CommandFailure: Error, Equatable {
    let exitCode: ExitCode
    /// One or more lines, without the program's name in front.
    let message: String
    /// What the person can do about it; nil where the message says it all.
    let hint: String?

    init(_ exitCode: ExitCode, _ message: String, hint: String? = nil) {
        self.exitCode = exitCode
        self.message = message
        self.hint = hint
    }
}
