internal import HTTP
internal import Logging
internal import SQLite
internal import Storage
internal import WireProtocol

/// `POST /v1/namespaces/{name}/checkpoint`: docs/protocol.md, "Checkpoints".
struct CheckpointEndpoint: Sendable {
    let logger: Logger

    /// Answers with SQLite's three numbers; readers in the way are `"busy":1`, not an error.
    func run(_ lease: DatabaseLease, body: [UInt8], _ responder: any HTTPResponder) {
        let mode: CheckpointMode
        do throws(HTTPFailure) { mode = try Self.mode(decoding: body) } catch {
            responder.respond(error.response)
            return
        }
        lease.database.operatorCheckpoint(mode) { [logger] result in
            switch result {
            case .success(let result): responder.respond(Self.answer(result))
            case .failure(let error): responder.fail(error, database: lease.name, logger: logger)
            }
        }
    }

    /// `{"mode":"truncate"}`, in letters of any case; without a body or a mode PASSIVE, as with
    /// the pragma. A word that is no mode is refused, unlike there: nobody should take a
    /// truncation for done that was misspelt.
    static func mode(decoding body: [UInt8]) throws(HTTPFailure) -> CheckpointMode {
        if body.isEmpty { return .passive }
        let document: JSONDocument
        do { document = try JSONDocument(parsing: body) } catch {
            throw HTTPFailure(status: 400, code: "malformed_json", text: "the body is not JSON")
        }
        guard document.root.kind == .object else { throw malformed("the body is not an object") }
        guard let value = document.root["mode"] else { return .passive }
        guard let mode = value.string.flatMap({ CheckpointMode(rawValue: $0.lowercased()) }) else {
            let modes = CheckpointMode.allCases.map(\.rawValue).joined(separator: ", ")
            throw malformed("mode must be one of \(modes)")
        }
        return mode
    }

    static func malformed(_ text: String) -> HTTPFailure {
        HTTPFailure(status: 400, code: "malformed_checkpoint", text: text)
    }

    private static func answer(_ result: CheckpointResult) -> HTTPResponse {
        .json(200) { json in
            json.beginObject()
            json.key("busy")
            json.integer(result.isBusy ? 1 : 0)
            json.key("log")
            json.integer(result.walFrameCount)
            json.key("checkpointed")
            json.integer(result.checkpointedFrameCount)
            json.endObject()
        }
    }
}
