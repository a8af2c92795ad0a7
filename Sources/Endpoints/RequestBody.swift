internal import Codecs
internal import HTTP

/// A request's body after the content coding that its sender chose.
enum RequestBody {
    /// - Parameter limit: bytes that it may have when decoded.
    static func decode(_ request: HTTPRequest, limit: Int) throws(HTTPFailure) -> [UInt8] {
        switch request.head.headers["content-encoding"]?.lowercased() {
        case nil, "identity"?, ""?: return request.body
        case "zstd"?:
            do throws(ZstdError) {
                var decoder = try ZstdDecoder(outputLimit: limit)
                var body: [UInt8] = []
                try decoder.decode(request.body[...], into: &body)
                try decoder.finish()
                return body
            } catch {
                throw error.httpFailure
            }
        case .some:
            throw HTTPFailure(
                status: 415, code: "content_encoding_unknown",
                text: "content-encoding must be zstd or identity")
        }
    }
}
