internal import CommandLineOptions
internal import Primitives

/// Why an operation on the databases failed. Texts are complete sentences for people.
enum AdministrationError: Error, Equatable {
    case noSuchDatabase(DatabaseName)
    case databaseExists(DatabaseName)
    /// A running server holds the data directory's lock.
    case dataDirectoryInUse(path: String)
    case noSuchDataDirectory(path: String)
    /// The file or the name was looked at and refused.
    case rejected(String)
    /// A file of ours or the caller's could not be read or written.
    case inputOutput(String)
    /// Cannot be reached, or is not able to answer now; may be tried again.
    case unavailable(String)
    case failed(String)

    var commandFailure: CommandFailure {
        switch self {
        case .noSuchDatabase(let name):
            CommandFailure(.noInput, "there is no database '\(name.text)'")
        case .databaseExists(let name):
            CommandFailure(.cannotCreate, "there is already a database '\(name.text)'")
        case .dataDirectoryInUse(let path):
            CommandFailure(
                .unavailable, "the data directory \(path) is in use by a running server",
                hint: "Stop the server, or reach it through --admin http://127.0.0.1:8081.")
        case .noSuchDataDirectory(let path):
            CommandFailure(
                .noInput, "there is no data directory \(path)",
                hint: "Name it with --data DIR, or a running server with --admin URL.")
        case .rejected(let message): CommandFailure(.dataError, message)
        case .inputOutput(let message): CommandFailure(.inputOutput, message)
        case .unavailable(let message): CommandFailure(.unavailable, message)
        case .failed(let message): CommandFailure(.internalError, message)
        }
    }
}
