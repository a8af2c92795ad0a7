internal import SQLite
internal import WireProtocol

/// The failures that are this server's own. Clients read texts and codes, so they are stable.
extension SQLFailure {
    /// An object or setting that the replicas' engine cannot hold; with it in the database every
    /// replica would be locked out.
    static let unsupportedByReplicas = "UNSUPPORTED_BY_REPLICAS"
    static let blocked = "BLOCKED"

    static let noStatement = Self(
        message: "SQL string does not contain any statement", code: "SQL_NO_STATEMENT")
    static let manyStatements = Self(
        message: "SQL string contains more than one statement", code: "SQL_MANY_STATEMENTS")
    static let holdsNUL = Self(
        message: "SQL string contains a NUL character", code: "SQL_PARSE_ERROR")
    /// In SQLite's words.
    static let readOnly = Self(
        message: "attempt to write a readonly database", code: "SQLITE_READONLY")
    static let noQuery = Self(
        message: "the statement returns no rows", code: "SQL_NO_QUERY")
    static let streamClosed = Self(message: "the stream is closed", code: "STREAM_CLOSED")

    static func arguments(_ message: String) -> Self {
        Self(message: message, code: "ARGS_INVALID")
    }

    static func responseTooLarge(limit: Int) -> Self {
        Self(
            message: "the response is larger than its limit of \(limit) bytes",
            code: "RESPONSE_TOO_LARGE")
    }

    static func timeLimit(_ limit: Duration) -> Self {
        Self(
            message: "interrupted: the statement ran longer than its limit of \(limit)",
            code: "SQLITE_INTERRUPT")
    }

    /// Nothing is wrong with the statement: run again, it reads a newer state.
    static let snapshotTooOld = Self(
        message: "interrupted: the request read an old state for too long while a checkpoint"
            + " waited for it; run it again", code: "SNAPSHOT_TOO_OLD")

    init(_ error: SQLiteError) {
        self.init(
            message: error.message, code: error.isSyntaxError ? "SQL_PARSE_ERROR" : error.codeName)
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
