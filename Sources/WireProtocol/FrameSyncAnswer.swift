/// What a client of frame sync is told about where it stands.
package struct FrameSyncAnswer: Equatable, Sendable {
    package enum Status: Sendable {
        case ok
        case conflict
        case checkpointNeeded

        fileprivate var word: StaticString {
            switch self {
            case .ok: "ok"
            case .conflict: "conflict"
            case .checkpointNeeded: "checkpoint_needed"
            }
        }
    }

    package let status: Status
    package let generation: UInt32
    /// The newest frame that the client need not send again.
    package let lastFrame: UInt32
    /// Continues a push; a path's part, without characters that need escapes.
    package let baton: String?

    package init(status: Status, generation: UInt32, lastFrame: UInt32, baton: String? = nil) {
        self.status = status
        self.generation = generation
        self.lastFrame = lastFrame
        self.baton = baton
    }

    /// Of a push.
    package var pushJSON: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        writeStatus(to: &json)
        writeBaton(to: &json)
        json.endObject()
        return json.bytes
    }

    /// Of a pull behind the last frame.
    package var endOfGenerationJSON: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        writeBaton(to: &json)
        writeStatus(to: &json)
        json.endObject()
        return json.bytes
    }

    /// Of `GET /info`.
    package static func infoJSON(generation: UInt32) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("current_generation")
        json.integer(generation)
        json.endObject()
        return json.bytes
    }

    private func writeStatus(to json: inout JSONWriter) {
        json.key("status")
        json.literal(status.word)
        json.key("generation")
        json.integer(generation)
        json.key("max_frame_no")
        json.integer(lastFrame)
    }

    private func writeBaton(to json: inout JSONWriter) {
        json.key("baton")
        json.string(orNull: baton)
    }
}
