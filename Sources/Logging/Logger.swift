internal import CLinux
internal import Glibc
internal import Synchronization

/// How much a log line matters. Ordered from the most talkative to the most urgent.
package enum LogLevel: Int, Comparable, CaseIterable, Sendable {
    case debug, info, warning, error

    package static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.rawValue < right.rawValue
    }

    /// `debug`, `info`, `warning` or `error`; nil for any other word.
    package init?(name: String) {
        guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }

    package var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }
}

/// Structured logging, one line an event, in logfmt: `time=… level=… event=… key=value …`.
///
/// An event is a stable snake_case word that a person can search for; what varies goes into the
/// fields. Tokens, keys and page contents are never logged.
package struct Logger: Sendable {
    package let minimumLevel: LogLevel
    private let write: @Sendable (String) -> Void

    /// A logger that hands each finished line, without its newline, to `write`.
    package init(minimumLevel: LogLevel, write: @escaping @Sendable (String) -> Void) {
        self.minimumLevel = minimumLevel
        self.write = write
    }

    /// Writes each line to standard error with one `write` call, so lines never interleave.
    package static func standardError(minimumLevel: LogLevel) -> Logger {
        Logger(minimumLevel: minimumLevel) { line in
            var bytes = Array(line.utf8)
            bytes.append(UInt8(ascii: "\n"))
            _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
        }
    }

    /// Drops everything: for tests and for commands that report to a person instead.
    package static let disabled = Logger(minimumLevel: .error) { _ in }

    package func debug(_ event: StaticString, _ fields: [(String, String)] = []) {
        log(.debug, event, fields)
    }
    package func info(_ event: StaticString, _ fields: [(String, String)] = []) {
        log(.info, event, fields)
    }
    package func warning(_ event: StaticString, _ fields: [(String, String)] = []) {
        log(.warning, event, fields)
    }
    package func error(_ event: StaticString, _ fields: [(String, String)] = []) {
        log(.error, event, fields)
    }

    private func log(_ level: LogLevel, _ event: StaticString, _ fields: [(String, String)]) {
        guard level >= minimumLevel else { return }
        var line = "time=\(Self.timestamp()) level=\(level.name) event=\(event)"
        for (key, value) in fields {
            line += " \(key)=\(Self.quoteIfNeeded(value))"
        }
        write(line)
    }

    /// RFC 3339 in UTC with milliseconds.
    package static func timestamp() -> String {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return timestamp(of: now)
    }

    /// The same for a time in whole seconds.
    package static func timestamp(secondsSince1970: Int64) -> String {
        timestamp(of: timespec(tv_sec: Int(secondsSince1970), tv_nsec: 0))
    }

    private static func timestamp(of time: timespec) -> String {
        var seconds = time.tv_sec
        let nanoseconds = time.tv_nsec
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date =
            unsafe "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-"
            + "\(padded(Int(parts.tm_mday), 2))"
        let time =
            unsafe "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):"
            + "\(padded(Int(parts.tm_sec), 2)).\(padded(nanoseconds / 1_000_000, 3))"
        return "\(date)T\(time)Z"
    }

    /// A value with spaces, quotes, `=` or control characters is quoted, so that a line stays a
    /// line whatever a client sent.
    package static func quoteIfNeeded(_ value: String) -> String {
        let plain = value.utf8.allSatisfy { byte in
            byte > 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=") && byte != 0x7F
                && byte != UInt8(ascii: "\\")
        }
        if plain && !value.isEmpty { return value }
        var quoted = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                quoted += "\\x" + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
