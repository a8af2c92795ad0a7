internal import Codecs
internal import HTTP

/// A request's body after the content coding that its sender chose.
enum RequestBody {
    static let unknownCoding = HTTPFailure(
        status: 415, code: "content_encoding_unknown",
        text: "content-encoding must be zstd, gzip or identity, and identity for imports")

    static func isIdentity(_ head: HTTPRequestHead) -> Bool {
        ["", "identity"].contains(coding(of: head))
    }

    private static func coding(of head: HTTPRequestHead) -> String {
        guard head.headers["content-encoding"] != nil else { return "" }
        return head.headers.values(of: "content-encoding").joined(separator: ",").lowercased()
    }

    /// - Parameter limit: bytes that it may have when decoded.
    static func decode(_ request: HTTPRequest, limit: Int) throws(HTTPFailure) -> [UInt8] {
        switch coding(of: request.head) {
        case "identity", "": return request.body
        case "zstd":
            do throws(ZstdError) {
                return try decodeZstd(request.body, limit: limit)
            } catch {
                throw error.httpFailure
            }
        case "gzip", "x-gzip":
            do throws(GzipError) {
                return try decodeGzip(request.body, limit: limit)
            } catch {
                throw error.httpFailure
            }
        default: throw unknownCoding
        }
    }

    private static func decodeZstd(
        _ bytes: [UInt8], limit: Int
    ) throws(ZstdError) -> [UInt8] {
        var decoder = try ZstdDecoder(outputLimit: limit)
        var body: [UInt8] = []
        try decoder.decode(bytes[...], into: &body)
        try decoder.finish()
        return body
    }

    private static func decodeGzip(
        _ bytes: [UInt8], limit: Int
    ) throws(GzipError) -> [UInt8] {
        var decoder = try GzipDecoder(outputLimit: limit)
        var body: [UInt8] = []
        try decoder.decode(bytes[...], into: &body)
        try decoder.finish()
        return body
    }
}
