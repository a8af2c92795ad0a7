internal import CommandLineOptions
internal import Glibc

/// All that a command gets from outside its arguments; tests hand in their own.
struct CommandContext: Sendable {
    let console: Console
    let environment: [String: String]
    /// Runs the server until it is told to stop; the result is the exit code.
    let serve: @Sendable (ServeConfiguration) throws -> Int32
    /// Opens the data directory of a server that does not run.
    let openDataDirectory: @Sendable (String) throws -> any DatabaseAdministration

    /// What the real process has.
    static func process() -> CommandContext {
        CommandContext(
            console: .standard(), environment: processEnvironment(), serve: runServer,
            openDataDirectory: { LocalAdministration(directory: $0) })
    }

    /// `environ` as it is at the start; the first of two entries with one name counts, as it does
    /// for `getenv`.
    private static func processEnvironment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let parts = unsafe String(cString: text).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, variables[String(parts[0])] == nil {
                variables[String(parts[0])] = String(parts[1])
            }
            unsafe entry += 1
        }
        return variables
    }
}
