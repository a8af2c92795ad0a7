/// Bounds on what one SQL request may use.
package struct SQLLimits: Sendable {
    /// How long one statement may run.
    package var statementTime: Duration = .seconds(30)
    /// How long one statement of a push may run: a push cannot be split, so it is generous.
    package var pushStatementTime: Duration = .seconds(300)
    /// The size of one request's results, in bytes of their wire form.
    package var responseSize = 64 << 20
    /// A text, blob or row, in bytes.
    package var valueSize = 64 << 20
    /// The text of one statement, in bytes.
    package var sqlSize = 16 << 20
    package var expressionDepth = 1000
    /// The largest parameter number.
    package var parameterCount = 32_766
    /// SQL texts that one stream may store, and their bytes. They may have to be kept in memory until
    /// the next request.
    package var storedSQLCount = 150
    package var storedSQLSize = 256 << 10

    package init() {}
}
