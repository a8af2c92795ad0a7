internal import Codecs
internal import HTTP

/// Compresses answers for clients that offer to decompress them: docs/protocol.md, "Compression".
final class EncodingResponder: HTTPResponder {
    /// Bytes of a body from which it is compressed: below, it fits a packet or two anyway.
    static let minimumSize = 1024

    private let responder: any HTTPResponder
    private let coding: ContentCoding?
    private let level: Int

    init(_ responder: any HTTPResponder, coding: ContentCoding?, level: Int) {
        self.responder = responder
        self.coding = coding
        self.level = level
    }

    /// What a client wants an answer to be compressed with.
    static func coding(for head: HTTPRequestHead) -> ContentCoding? {
        AcceptEncoding.choice(of: ["zstd", "gzip"], in: head.headers).flatMap {
            ContentCoding(rawValue: $0)
        }
    }

    func respond(_ response: HTTPResponse) {
        guard response.status == 200 else { return responder.respond(response) }
        var response = response
        response.headers.append(("vary", "accept-encoding"))
        let isCoded = response.headers.contains { $0.name == "content-encoding" }
        if let coding, !isCoded, let source = Self.source(response.body) {
            response.headers.append(("content-encoding", coding.rawValue))
            let encoder = ContentEncoder(coding, level: level)
            response.body = .stream(CodedBodySource(source, encoder: encoder), length: nil)
        }
        responder.respond(response)
    }

    /// The body, if it is worth the trouble.
    private static func source(_ body: HTTPResponseBody) -> (any HTTPBodySource)? {
        switch body {
        case .none, .chunk: return nil
        case .bytes(let bytes): return bytes.count < minimumSize ? nil : PieceSource(bytes)
        case .stream(let source, let length):
            if let length, length < minimumSize { return nil }
            return source
        }
    }

    func onClientGone(_ action: @escaping @Sendable () -> Void) { responder.onClientGone(action) }
    func onShutdown(_ action: @escaping @Sendable () -> Void) { responder.onShutdown(action) }
    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        responder.schedule(after: delay, action)
    }
}

/// A body that is compressed piece by piece as the client takes it; nothing is held in between.
private final class CodedBodySource: HTTPBodySource, @unchecked Sendable {
    // @unchecked: pieces are asked for one after another.

    /// Each piece begins knowing nothing, so they are large; what is left of one is small.
    private static let pieceSize = 1 << 20

    private let source: any HTTPBodySource
    private var encoder: ContentEncoder
    private var hasEnded = false

    init(_ source: any HTTPBodySource, encoder: ContentEncoder) {
        self.source = source
        self.encoder = encoder
    }

    func nextChunk(maximumBytes: Int) throws -> HTTPBodyPiece? {
        guard !hasEnded else { return nil }
        guard let piece = try source.nextChunk(maximumBytes: max(maximumBytes, Self.pieceSize))
        else {
            hasEnded = true
            let end = encoder.finish()
            return end.isEmpty ? nil : .bytes(end)
        }
        let parts = try piece.parts.map { part -> HTTPBodyPiece.Part in
            guard case .bytes(let bytes) = part else {
                preconditionFailure("parts of files are compressed by those who make them")
            }
            let coded = try encoder.piece(of: bytes)
            let begin = encoder.append(sourceSize: coded.sourceSize, checksum: coded.checksum)
            return .bytes(begin + coded.bytes)
        }
        return HTTPBodyPiece(parts)
    }

    func close() { source.close() }
}

/// A body that is there already.
final class PieceSource: HTTPBodySource, @unchecked Sendable {
    // @unchecked: pieces are asked for one after another.
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    func nextChunk(maximumBytes: Int) -> HTTPBodyPiece? {
        guard !rest.isEmpty else { return nil }
        let piece = Array(rest.prefix(max(1, maximumBytes)))
        rest = rest.dropFirst(piece.count)
        return .bytes(piece)
    }

    func close() {}
}
