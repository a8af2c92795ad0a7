internal import HTTP
internal import Logging
internal import SQLStreams
internal import SQLite
internal import Storage
internal import WireProtocol

/// `/v1/namespaces/{name}/config`: what an operator sets for one database.
struct SettingsEndpoint: Sendable {
    let logger: Logger

    static func answer(_ settings: Meta.Settings) -> HTTPResponse {
        .json(200) { json in
            json.beginObject()
            json.key("strict_push")
            json.bool(settings.contains(.strictPush))
            json.key("synced")
            json.bool(!settings.contains(.notSynced))
            json.key("frame_sync")
            json.bool(!settings.contains(.noFrameSync))
            json.endObject()
        }
    }

    /// Changes the keys that `body` names. A database becomes synced again only if replicas can
    /// hold what came in meanwhile: one object that they cannot locks every one out.
    func change(_ lease: DatabaseLease, body: [UInt8], _ responder: any HTTPResponder) {
        let change: Change
        do throws(HTTPFailure) { change = try Change(decoding: body) } catch {
            responder.respond(error.response)
            return
        }
        lease.database.changeSettings(
            { settings, connection throws(SQLiteError) in
                let wasSynced = !settings.contains(.notSynced)
                change.apply(to: &settings)
                guard !wasSynced, !settings.contains(.notSynced) else { return [] }
                return try ReplicaCompatibility.findings(connection).problems
            },
            completion: { [logger] result in
                switch result {
                case .success(.changed(let settings)): responder.respond(Self.answer(settings))
                case .success(.refused(let reasons)):
                    responder.respond(
                        HTTPFailure(
                            status: 422, code: "not_syncable",
                            text: reasons.joined(separator: "; ")
                        ).response)
                case .failure(let error):
                    responder.fail(error, database: lease.name, logger: logger)
                }
            })
    }
}

extension SettingsEndpoint {
    /// The keys that a request names; nil for those it does not.
    private struct Change: Sendable {
        var strictPush: Bool?
        var synced: Bool?
        var frameSync: Bool?

        init(decoding body: [UInt8]) throws(HTTPFailure) {
            let document: JSONDocument
            do { document = try JSONDocument(parsing: body) } catch {
                throw HTTPFailure(
                    status: 400, code: "malformed_json", text: "the body is not JSON")
            }
            guard document.root.kind == .object else {
                throw HTTPFailure(
                    status: 400, code: "malformed_config", text: "the body is not an object")
            }
            strictPush = try Self.flag("strict_push", in: document.root)
            synced = try Self.flag("synced", in: document.root)
            frameSync = try Self.flag("frame_sync", in: document.root)
        }

        private static func flag(
            _ key: StaticString, in object: JSONElement
        ) throws(HTTPFailure) -> Bool? {
            guard let value = object[key] else { return nil }
            guard let flag = value.bool else {
                throw HTTPFailure(
                    status: 400, code: "malformed_config", text: "\(key) must be true or false")
            }
            return flag
        }

        func apply(to settings: inout Meta.Settings) {
            if let strictPush { settings.set(.strictPush, to: strictPush) }
            if let synced { settings.set(.notSynced, to: !synced) }
            if let frameSync { settings.set(.noFrameSync, to: !frameSync) }
        }
    }
}

extension OptionSet where Element == Self {
    fileprivate mutating func set(_ option: Self, to isOn: Bool) {
        if isOn { insert(option) } else { remove(option) }
    }
}
