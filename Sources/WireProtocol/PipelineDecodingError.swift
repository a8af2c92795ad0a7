/// Why a body is not a pipeline request. Always the sender's fault; never echoes content.
package enum PipelineDecodingError: Error, Equatable, CustomStringConvertible {
    case notJSON(JSONError)
    /// `place` leads from the body to the culprit, as in `requests[0].batch.steps[3].stmt.args[1]`;
    /// empty for the body itself.
    case invalid(place: String, reason: String)

    static func invalid(_ reason: String) -> PipelineDecodingError {
        .invalid(place: "", reason: reason)
    }

    /// One sentence for the client.
    package var description: String {
        switch self {
        case .notJSON(.malformed(let reason)): "the body is not valid JSON: \(reason)"
        case .notJSON(.tooDeep(let limit)): "the JSON is nested deeper than \(limit) levels"
        case .notJSON(.tooLarge): "the JSON is too large"
        case .notJSON(.outOfMemory): "there is not enough memory to read the JSON"
        case .invalid(let place, let reason): place.isEmpty ? reason : "\(place): \(reason)"
        }
    }

    /// The same error seen from one level further out.
    func inside(_ outer: String) -> PipelineDecodingError {
        guard case .invalid(let place, let reason) = self else { return self }
        let separator = place.isEmpty || place.hasPrefix("[") ? "" : "."
        return .invalid(place: outer + separator + place, reason: reason)
    }
}
