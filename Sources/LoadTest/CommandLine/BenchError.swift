internal import CommandLineOptions

/// Why a load test could not be carried out, or what it found. Texts are for people.
package enum BenchError: Error, Equatable {
    /// Options that contradict each other.
    case usage(String)
    /// Nobody answers.
    case unreachable(String)
    /// The server answers something that the test cannot go on with.
    case server(String)
    /// The server's data is wrong (`--verify`).
    case wrongData(String)
    /// Operations failed during the measurement.
    case failedOperations(String)
    case file(String)
    case noInput(String)

    var commandFailure: CommandFailure {
        switch self {
        case .usage(let text): CommandFailure(.usage, text)
        case .unreachable(let text), .failedOperations(let text), .server(let text):
            CommandFailure(.unavailable, text)
        case .wrongData(let text): CommandFailure(.dataError, text)
        case .file(let text): CommandFailure(.inputOutput, text)
        case .noInput(let text): CommandFailure(.noInput, text)
        }
    }
}
