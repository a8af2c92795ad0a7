internal import HTTP
internal import Replication
internal import WireProtocol

/// What a request of frame sync asks for; docs/protocol.md, "Frame sync". Pure.
enum FrameRoute: Equatable {
    case info
    case export(generation: UInt32)
    case pull(FrameRange)
    case push(FrameRange, PushBaton?)

    /// Nil for a path that is none of frame sync.
    ///
    /// - Parameter path: begins with one slash, has no empty part.
    init?(path: String, method: String) throws(HTTPFailure) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        switch (parts.first, parts.count) {
        case ("info"?, 1):
            try Self.check(method, ["GET", "HEAD"])
            self = .info
        case ("export"?, 2):
            try Self.check(method, ["GET", "HEAD"])
            guard let generation = FrameRange.number(parts[1]), generation >= 1 else {
                throw Self.malformed
            }
            self = .export(generation: generation)
        case ("sync"?, 4), ("sync"?, 5):
            let allowed = parts.count == 4 ? ["GET", "HEAD", "POST"] : ["POST"]
            try Self.check(method, allowed)
            guard let range = FrameRange(generation: parts[1], start: parts[2], end: parts[3])
            else { throw Self.malformed }
            self =
                method == "POST"
                ? .push(range, parts.count == 5 ? PushBaton(String(parts[4])) : nil)
                : .pull(range)
        default: return nil
        }
    }

    private static let malformed = HTTPFailure(
        status: 400, code: "malformed_frame_range",
        text: "generation, first frame and end are decimal numbers of 32 bits from 1 on, and the "
            + "end is behind the first frame")

    private static func check(_ method: String, _ allowed: [String]) throws(HTTPFailure) {
        guard !allowed.contains(method) else { return }
        throw .methodNotAllowed(allowed)
    }

    /// Bytes that the body may have.
    var maximumBodySize: Int {
        switch self {
        case .info, .export, .pull: 4096
        case .push(let range, _): range.count * FrameBody.frameSize
        }
    }
}

extension HTTPFailure {
    static func methodNotAllowed(_ allowed: [String]) -> HTTPFailure {
        HTTPFailure(
            status: 405, code: "method_not_allowed",
            text: "use \(allowed.joined(separator: " or ")) here", allowedMethods: allowed)
    }
}
