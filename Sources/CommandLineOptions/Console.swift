internal import Glibc

/// Where a command speaks to a person: results on standard output, the rest on standard error.
/// Tests put their own closures in.
package struct Console: Sendable {
    package let writeOutput: @Sendable (String) -> Void
    package let writeError: @Sendable (String) -> Void
    /// The next line of standard input without its newline; nil at its end.
    package let readAnswer: @Sendable () -> String?
    package let isInputTerminal: Bool
    package let isErrorTerminal: Bool

    /// The process's own three streams.
    package static func standard() -> Console {
        Console(
            writeOutput: { text in
                if let failure = write(text, to: STDOUT_FILENO) { giveUpOutput(failure) }
            },
            // Nobody is left to be told where standard error fails.
            writeError: { text in _ = write(text, to: STDERR_FILENO) },
            readAnswer: { readLine() },
            isInputTerminal: isatty(STDIN_FILENO) == 1,
            isErrorTerminal: isatty(STDERR_FILENO) == 1)
    }

    /// Writes all of `text`; the error number of the write that failed, or nil.
    private static func write(_ text: String, to descriptor: Int32) -> Int32? {
        var rest = ArraySlice(text.utf8)
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return errno
            }
        }
        return nil
    }

    /// `tidemark … | head` is no failure; a full disk is, or a script would trust half a list.
    private static func giveUpOutput(_ errorNumber: Int32) -> Never {
        if errorNumber == EPIPE { exit(ExitCode.success.rawValue) }
        _ = write(
            "tidemark: standard output: \(unsafe String(cString: strerror(errorNumber)))\n",
            to: STDERR_FILENO)
        exit(ExitCode.inputOutput.rawValue)
    }
}
