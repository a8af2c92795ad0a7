internal import WireProtocol

/// What frame sync answers as JSON.
struct FrameAnswer: Equatable {
    var status: String?
    var lastFrame: Int?
    var baton: String?
    var currentGeneration: Int?

    /// Nil if it is no JSON object.
    init?(_ bytes: [UInt8]) {
        guard let document = try? JSONDocument(parsing: bytes), document.root.kind == .object
        else { return nil }
        status = document.root["status"]?.string
        lastFrame = document.root["max_frame_no"]?.int64.map { Int(clamping: $0) }
        baton = document.root["baton"]?.string
        currentGeneration = document.root["current_generation"]?.int64.map { Int(clamping: $0) }
    }
}
