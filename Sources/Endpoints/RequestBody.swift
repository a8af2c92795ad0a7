internal import Codecs
internal import HTTP

/// A request's body after the content coding that its sender chose.
enum RequestBody {
    /// - Parameter limit: bytes that it may have when decoded.
    static func decode(_ request: HTTPRequest, limit: Int) throws(HTTPFailure) -> [UInt8] {
        switch request.head.headers["content-encoding"]?.lowercased() {
        case nil, "identity"?, ""?: return request.body
        case "zstd"?:
            do { return try ZstdDecoder.decode(request.body, outputLimit: limit) } catch {
                throw HTTPFailure(
                    status: error == .outputTooLarge ? 413 : 400, code: "malformed_zstd",
                    text: "the body cannot be decompressed: \(error)")
            }
        case .some:
            throw HTTPFailure(
                status: 415, code: "content_encoding_unknown",
                text: "content-encoding must be zstd or identity")
        }
    }
}
