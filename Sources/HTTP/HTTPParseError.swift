/// Why a request could not be parsed. The connection cannot be used afterwards, because where
/// the next request begins is unknown.
package enum HTTPParseError: Error, Equatable, Sendable, CaseIterable {
    case malformedRequestLine
    case unsupportedVersion
    case unsupportedMethod
    case invalidTarget
    case targetTooLong
    case bareLineFeed
    case bareCarriageReturn
    case controlCharacter
    case foldedField
    case invalidFieldName
    case tooManyFields
    case headTooLarge
    case missingHost
    case repeatedHost
    case invalidHost
    case invalidContentLength
    case repeatedContentLength
    case lengthAndTransferEncoding
    case invalidTransferEncoding
    case unknownTransferEncoding
    case invalidChunkSize
    case missingChunkEnd
    case invalidTrailer
    case trailersTooLarge
    case unknownExpectation

    package var status: Int {
        switch self {
        case .unsupportedVersion: 505
        case .unsupportedMethod, .unknownTransferEncoding: 501
        case .targetTooLong: 414
        case .tooManyFields, .headTooLarge, .trailersTooLarge: 431
        case .unknownExpectation: 417
        case .malformedRequestLine, .invalidTarget, .bareLineFeed, .bareCarriageReturn,
            .controlCharacter, .foldedField, .invalidFieldName, .missingHost, .repeatedHost,
            .invalidHost, .invalidContentLength, .repeatedContentLength,
            .lengthAndTransferEncoding, .invalidTransferEncoding, .invalidChunkSize,
            .missingChunkEnd, .invalidTrailer:
            400
        }
    }

    /// Stable across releases; `text` is for people and may change.
    package var code: String { answer.code }
    package var text: String { answer.text }

    package var response: HTTPResponse {
        .failure(status: status, code: code, text: text)
    }

    private var answer: (code: String, text: String) {
        switch self {
        case .malformedRequestLine:
            ("malformed_request_line", "the request line must be METHOD TARGET HTTP/1.1")
        case .unsupportedVersion:
            ("unsupported_http_version", "only HTTP/1.1 and HTTP/1.0 are spoken here")
        case .unsupportedMethod: ("unsupported_method", "this is not a proxy")
        case .invalidTarget: ("invalid_target", "the request target is malformed")
        case .targetTooLong: ("target_too_long", "the request target is too long")
        case .bareLineFeed: ("bare_line_feed", "lines must end with CR LF, not with LF alone")
        case .bareCarriageReturn: ("bare_carriage_return", "CR must be followed by LF")
        case .controlCharacter:
            ("control_character", "a control character is not allowed in a header field")
        case .foldedField:
            ("folded_field", "a header field must not be continued on the next line")
        case .invalidFieldName: ("invalid_field_name", "the name of a header field is malformed")
        case .tooManyFields: ("too_many_fields", "the request has too many header fields")
        case .headTooLarge: ("head_too_large", "the request's header fields are too large")
        case .missingHost: ("missing_host", "the Host header field is missing")
        case .repeatedHost: ("repeated_host", "the Host header field must be sent once")
        case .invalidHost: ("invalid_host", "the Host header field is malformed")
        case .invalidContentLength:
            ("invalid_content_length", "Content-Length must be one decimal number")
        case .repeatedContentLength:
            ("repeated_content_length", "Content-Length must be sent once")
        case .lengthAndTransferEncoding:
            (
                "length_and_transfer_encoding",
                "Content-Length and Transfer-Encoding must not be sent together"
            )
        case .invalidTransferEncoding:
            ("invalid_transfer_encoding", "Transfer-Encoding must be exactly: chunked")
        case .unknownTransferEncoding:
            ("unknown_transfer_encoding", "the only Transfer-Encoding spoken here is chunked")
        case .invalidChunkSize: ("invalid_chunk_size", "the size line of a chunk is malformed")
        case .missingChunkEnd: ("missing_chunk_end", "a chunk must be followed by CR LF")
        case .invalidTrailer: ("invalid_trailer", "a trailer field is malformed")
        case .trailersTooLarge: ("trailers_too_large", "the trailer fields are too large")
        case .unknownExpectation:
            ("unknown_expectation", "the only expectation met here is 100-continue")
        }
    }
}
