/// A request that is answered without being handled any further.
package struct HTTPRefusal: Error, Sendable {
    package var response: HTTPResponse
    /// Why, for the log; clients see only `response`.
    package var cause: String

    package init(_ response: HTTPResponse, cause: String = "") {
        self.response = response
        self.cause = cause
    }
}
