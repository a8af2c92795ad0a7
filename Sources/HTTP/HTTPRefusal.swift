/// A request that is answered without being handled any further.
package struct HTTPRefusal: Error, Sendable {
    package var response: HTTPResponse
    package init(_ response: HTTPResponse) { self.response = response }
}
