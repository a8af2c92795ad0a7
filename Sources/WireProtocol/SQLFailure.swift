/// Why a statement or a request failed, as SQL clients read it: they look for known texts in the
/// message and refuse an error without a code.
package struct SQLFailure: Error, Sendable, Equatable {
    package var message: String
    /// Machine-readable, such as `SQLITE_CONSTRAINT_UNIQUE` or `ARGS_INVALID`.
    package var code: String

    package init(message: String, code: String) {
        self.message = message
        self.code = code
    }
}
