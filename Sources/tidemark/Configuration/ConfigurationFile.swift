internal import CommandLineOptions
internal import Glibc

/// Reading: one mapping of scalars, or of lists of scalars, and nothing else of YAML.
extension ConfigurationFile {
    /// Far more than all options with all their comments; a log file given by mistake is not read.
    private static let maximumSize = 1 << 20

    /// Reads the file at `path`; a failure names the file and, where there is one, the line.
    static func read(_ path: String) throws(CommandFailure) -> ConfigurationFile {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path, errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if count == 0 { break }
            if count > 0 {
                bytes += buffer[..<count]
            } else if errno != EINTR {
                throw unreadable(path, errno)
            }
            guard bytes.count <= maximumSize else {
                throw CommandFailure(.configuration, "\(path): larger than 1 MiB")
            }
        }
        return try parse(bytes, path: path)
    }

    static func parse(_ bytes: [UInt8], path: String) throws(CommandFailure) -> ConfigurationFile {
        do {
            return ConfigurationFile(path: path, entries: try YAMLMapping.parse(bytes))
        } catch {
            throw CommandFailure(.configuration, "\(path):\(error.line): \(error.reason)")
        }
    }

    private static func unreadable(_ path: String, _ errorNumber: Int32) -> CommandFailure {
        CommandFailure(.configuration, "\(path): \(unsafe String(cString: strerror(errorNumber)))")
    }
}
