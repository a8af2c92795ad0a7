/// What the process tells its caller, with the numbers of `sysexits.h`. Stable across releases.
package enum ExitCode: Int32, CaseIterable, Sendable {
    case success = 0
    /// The command line could not be understood.
    case usage = 64
    /// The data that was handed over is not acceptable.
    case dataError = 65
    /// The named database or file does not exist.
    case noInput = 66
    /// The server or the data directory cannot be reached now; trying again later may work.
    case unavailable = 69
    /// A fault that is not the caller's.
    case internalError = 70
    /// The database or the file is already there, or cannot be made.
    case cannotCreate = 73
    /// Reading or writing failed.
    case inputOutput = 74
    /// The configuration is wrong, or asks for something unsafe.
    case configuration = 78

    /// One line for the table in docs/operations.md.
    package var meaning: String {
        switch self {
        case .success: "success"
        case .usage: "the command line is wrong"
        case .dataError: "the data handed over is not acceptable"
        case .noInput: "no such database or file"
        case .unavailable: "the server or the data directory is not available now"
        case .internalError: "a fault inside Tidemark or its server"
        case .cannotCreate: "the database or file exists already, or cannot be made"
        case .inputOutput: "reading or writing failed"
        case .configuration: "the configuration is wrong or unsafe"
        }
    }
}
