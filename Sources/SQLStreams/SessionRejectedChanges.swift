internal import Logging
internal import Primitives
internal import Storage
internal import WireProtocol

/// Records a push's refused changes in the database's log, as JSON objects for operators.
final class SessionRejectedChanges: RejectedChangeRecorder {
    private let session: WriterSession
    private var pending: PendingRejectedChanges?

    init(_ session: WriterSession) { self.session = session }

    func record(_ changes: [RejectedChange]) throws {
        let time = Logger.timestamp()
        let entries = changes.map { change in
            RejectedChangeLog.Entry(
                key: Self.key(change), payload: Self.payload(change, time: time))
        }
        pending = try session.recordRejected(entries)
    }

    func resolved(committed: Bool) {
        guard let pending else { return }
        session.resolveRejected(pending, committed: committed)
        self.pending = nil
    }

    private static func key(_ change: RejectedChange) -> String {
        let position = change.position
        return "\(position.pullGeneration)/\(position.changeID)/\(change.stepIndex)/"
            + position.clientID
    }

    private static func payload(_ change: RejectedChange, time: String) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("time")
        json.string(time)
        json.key("client_id")
        json.string(change.position.clientID)
        json.key("pull_gen")
        json.integer(change.position.pullGeneration)
        json.key("change_id")
        json.integer(change.position.changeID)
        json.key("step")
        json.integer(change.stepIndex)
        json.key("sql")
        json.string(change.sql)
        json.key("args")
        json.beginArray()
        for argument in change.arguments { Self.write(argument, into: &json) }
        json.endArray()
        json.key("error")
        json.beginObject()
        json.key("message")
        json.string(change.failure.message)
        json.key("code")
        json.string(change.failure.code)
        json.endObject()
        json.endObject()
        return json.bytes
    }

    /// The same shape as in the client's request.
    private static func write(_ value: SQLValue, into json: inout JSONWriter) {
        json.beginObject()
        json.key("type")
        switch value {
        case .null: json.literal("null")
        case .integer(let integer):
            json.literal("integer")
            json.key("value")
            json.decimalString(integer)
        case .float(let float):
            json.literal("float")
            json.key("value")
            json.number(float)
        case .text(let text):
            json.literal("text")
            json.key("value")
            json.string(text)
        case .blob(let bytes):
            json.literal("blob")
            json.key("base64")
            unsafe bytes.withUnsafeBytes { unsafe json.base64String($0) }
        }
        json.endObject()
    }
}
