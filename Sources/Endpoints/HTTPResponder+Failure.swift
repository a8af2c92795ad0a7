internal import HTTP
internal import Logging
internal import Primitives
internal import Storage

extension HTTPResponder {
    /// Answers with what became of `error`, and logs it where the answer says only that the log
    /// knows more.
    func fail(_ error: StorageError, database: DatabaseName, logger: Logger) {
        let failure = error.httpFailure
        if failure.status == 500 {
            logger.error(
                "request_failed", [("database", database.text), ("error", "\(error)")])
        }
        respond(failure.response)
    }
}
