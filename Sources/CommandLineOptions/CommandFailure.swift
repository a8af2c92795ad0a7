/// Why a command gave up: what standard error says, and how the process exits.
package struct CommandFailure: Error, Equatable {
    package let exitCode: ExitCode
    /// One or more lines, without the program's name in front.
    package let message: String
    /// What the person can do about it; nil where the message says it all.
    package let hint: String?

    package init(_ exitCode: ExitCode, _ message: String, hint: String? = nil) {
        self.exitCode = exitCode
        self.message = message
        self.hint = hint
    }
}
