internal import SQLite

/// Why a statement, or a request about statements, was refused or failed: what clients get as
/// `{"message": …, "code": …}`. They read both, so texts and codes are stable.
package struct StatementFailure: Error, Equatable, Sendable {
    package let code: String
    package let message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }
}

extension StatementFailure {
    /// An object or setting that the replicas' engine cannot hold; with it in the database every
    /// replica would be locked out.
    static let unsupportedByReplicas = "UNSUPPORTED_BY_REPLICAS"
    static let blocked = "BLOCKED"

    static let noStatement = Self(
        code: "SQL_NO_STATEMENT", message: "SQL string does not contain any statement")
    static let manyStatements = Self(
        code: "SQL_MANY_STATEMENTS", message: "SQL string contains more than one statement")
    static let holdsNUL = Self(
        code: "SQL_PARSE_ERROR", message: "SQL string contains a NUL character")
    static let streamClosed = Self(code: "STREAM_CLOSED", message: "the stream is closed")

    static func arguments(_ message: String) -> Self {
        Self(code: "ARGS_INVALID", message: message)
    }

    static func responseTooLarge(limit: Int) -> Self {
        Self(
            code: "RESPONSE_TOO_LARGE",
            message: "the response is larger than its limit of \(limit) bytes")
    }

    static func timeLimit(_ limit: Duration) -> Self {
        Self(
            code: "SQLITE_INTERRUPT",
            message: "interrupted: the statement ran longer than its limit of \(limit)")
    }

    init(_ error: SQLiteError) {
        self.init(
            code: error.isSyntaxError ? "SQL_PARSE_ERROR" : error.codeName, message: error.message)
    }
}

extension SQLiteError {
    /// SQLite has no code of its own for text that is no SQL.
    fileprivate var isSyntaxError: Bool {
        extendedCode == 1
            && (message.hasSuffix(": syntax error") || message == "incomplete input"
                || message.hasPrefix("unrecognized token: "))
    }

    /// True if the statement itself is at fault and the next one may well succeed; false if the
    /// disk, the memory or a time limit is.
    var isFaultOfStatement: Bool {
        switch primaryCode {
        case .error, .constraint, .mismatch, .range, .tooBig, .authorization: true
        default: false
        }
    }
}
