internal import HTTP
internal import Logging
internal import Primitives
internal import SQLStreams
internal import Storage

/// Takes an uploaded SQLite file and makes a database of it. The upload goes to a file in the
/// data directory that is removed in any case.
final class ImportSink: HTTPBodySink, @unchecked Sendable {
    // @unchecked: calls come one after another.

    private let name: DatabaseName
    private let store: DatabaseStore
    private let logger: Logger
    private var upload: Upload?

    init(name: DatabaseName, store: DatabaseStore, logger: Logger) {
        self.name = name
        self.store = store
        self.logger = logger
    }

    func write(_ bytes: [UInt8]) throws(HTTPRefusal) {
        do throws(StorageError) {
            if upload == nil {
                guard !store.contains(name) else { throw StorageError.databaseExists(name) }
                upload = try store.beginUpload()
            }
            try upload?.append(bytes)
        } catch {
            upload = nil
            throw HTTPRefusal(error.httpFailure.response)
        }
    }

    func finish(_ responder: any HTTPResponder) {
        let response = importUpload()
        // Gone from the disk before the client hears how it went.
        upload = nil
        responder.respond(response)
    }

    private func importUpload() -> HTTPResponse {
        guard let upload else {
            return HTTPFailure(
                status: 400, code: "empty_body", text: "the body must be a SQLite file"
            ).response
        }
        do throws(StorageError) {
            let report = try store.importDatabase(
                name, from: upload.path, check: ReplicaCompatibility.findings
            ) { _ in }
            return response(report)
        } catch {
            logger.warning("import_failed", [("database", name.text), ("error", "\(error)")])
            return error.httpFailure.response
        }
    }

    func abort() { upload = nil }

    private func response(_ report: DatabaseImport.Report) -> HTTPResponse {
        .json(200) { json in
            json.beginObject()
            json.key("name")
            json.string(name.text)
            json.key("pages")
            json.integer(report.pageCount)
            json.key("conversions")
            json.beginArray()
            for conversion in report.conversions { json.string(conversion) }
            json.endArray()
            json.key("warnings")
            json.beginArray()
            for warning in report.warnings { json.string(warning) }
            json.endArray()
            json.endObject()
        }
    }
}
