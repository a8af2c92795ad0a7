/// Header fields in the order they came, names in lower case.
package struct HTTPHeaders: Sendable {
    package private(set) var fields: [(name: String, value: String)] = []

    package init() {}

    /// `name` is lower-cased here.
    package mutating func append(name: String, value: String) {
        fields.append((name.lowercased(), value))
    }

    /// The first field of that name, which must be in lower case.
    package subscript(name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    package func values(of name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }
}

/// The request line and the header fields of a request that passed the parser's checks.
package struct HTTPRequestHead: Sendable {
    package var method: String
    /// The path of the target as it was sent: percent-encoding untouched, query cut off.
    package var path: String
    /// What followed the first `?`; nil without one.
    package var query: String?
    package var headers: HTTPHeaders
    /// False for HTTP/1.0.
    package var isHTTP11: Bool
    /// Bytes announced by Content-Length; nil for chunked and for no body.
    package var contentLength: UInt64?

    package init(
        method: String, path: String, query: String?, headers: HTTPHeaders, isHTTP11: Bool,
        contentLength: UInt64?
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.isHTTP11 = isHTTP11
        self.contentLength = contentLength
    }
}

/// A request whose body has arrived whole.
package struct HTTPRequest: Sendable {
    package var head: HTTPRequestHead
    package var body: [UInt8]

    package init(head: HTTPRequestHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }
}

package struct HTTPResponse: Sendable {
    package var status: Int
    /// Without Content-Length, Transfer-Encoding, Connection and Date: the connection adds these.
    package var headers: [(name: String, value: String)]
    package var body: HTTPResponseBody

    package init(
        status: Int, headers: [(name: String, value: String)] = [], body: HTTPResponseBody = .none
    ) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

package enum HTTPResponseBody: Sendable {
    case none
    case bytes([UInt8])
    /// Sent at the speed the client reads; chunked when `length` is nil. If the source throws, the
    /// connection is cut without the final chunk, so no client takes the answer to be whole.
    case stream(any HTTPBodySource, length: UInt64?)
}

/// Makes a response body piece by piece. All calls come from worker threads, one at a time.
package protocol HTTPBodySource: AnyObject, Sendable {
    /// The next piece, at most about `maximumBytes` long and never empty; nil at the end.
    func nextChunk(maximumBytes: Int) throws -> [UInt8]?
    /// Called exactly once, when the body is sent or the client is gone.
    func close()
}

/// Takes a request body that is too large to hold. All calls come from worker threads, in order.
package protocol HTTPBodySink: AnyObject, Sendable {
    /// The next bytes of the body; the socket is not read further until this returns.
    func write(_ bytes: [UInt8]) throws(HTTPRefusal)
    /// The body is complete; answer through `responder`, from any thread.
    func finish(_ responder: any HTTPResponder)
    /// The client went away, or the body broke a rule: throw everything away.
    func abort()
}

/// A request that is answered without being handled any further.
package struct HTTPRefusal: Error, Sendable {
    package var response: HTTPResponse
    package init(_ response: HTTPResponse) { self.response = response }
}

/// What to do with a request's body, decided from its head.
package enum HTTPBodyHandling: Sendable {
    /// Collect it, up to that many bytes (413 beyond), then call `HTTPHandler.handle`.
    case buffer(maximumBytes: Int)
    case stream(any HTTPBodySink)
    /// Answer now; what is left of the body is discarded or the connection closed.
    case refuse(HTTPResponse)
}

/// What a server does with requests. Both calls come from an event loop and must not block.
package protocol HTTPHandler: Sendable {
    func bodyHandling(for head: HTTPRequestHead) -> HTTPBodyHandling
    func handle(_ request: HTTPRequest, _ responder: any HTTPResponder)
}

/// Answers one request. Safe to call from any thread.
package protocol HTTPResponder: AnyObject, Sendable {
    /// Sends the answer. Only the first call counts; after the client has gone it does nothing
    /// but close a streamed body.
    func respond(_ response: HTTPResponse)
    /// Calls `action` once if the client goes away before the answer is complete; at once if it
    /// already has. Used to drop long polls.
    func onClientGone(_ action: @escaping @Sendable () -> Void)
    /// Calls `action` on the event loop after `delay`, unless the answer was given or the client
    /// has gone by then.
    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void)
}
