internal import Endpoints
internal import FoundationEssentials
internal import Glibc
internal import Primitives
internal import SQLite

/// The databases of a running server, through its admin listener (docs/operations.md, "Admin
/// API").
struct RemoteAdministration: DatabaseAdministration {
    private let client: AdminHTTPClient

    init(_ url: AdminURL) { client = AdminHTTPClient(base: url) }

    func create(_ name: DatabaseName) throws(AdministrationError) {
        try check(client.send("POST", "\(Self.path(name))/create", .json("{}")), name)
    }

    func list() throws(AdministrationError) -> [DatabaseSummary] {
        let response = try client.send("GET", "/v1/namespaces")
        try check(response, nil)
        let answer = try decode(ListAnswer.self, response)
        return answer.namespaces
            .map {
                DatabaseSummary(
                    name: $0.name, sizeBytes: $0.sizeBytes, revision: $0.revision ?? "")
            }
            .sorted { $0.name < $1.name }
    }

    func statistics(_ name: DatabaseName) throws(AdministrationError) -> StatisticsReport {
        let response = try client.send("GET", "\(Self.path(name))/stats")
        try check(response, name)
        return try decode(StatisticsReport.self, response)
    }

    func delete(_ name: DatabaseName) throws(AdministrationError) {
        try check(client.send("DELETE", Self.path(name)), name)
    }

    func checkpoint(
        _ name: DatabaseName, _ mode: CheckpointMode
    ) throws(AdministrationError) -> CheckpointResult {
        let response = try client.send(
            "POST", "\(Self.path(name))/checkpoint", .json(#"{"mode":"\#(mode.rawValue)"}"#))
        try check(response, name)
        let answer = try decode(CheckpointAnswer.self, response)
        return CheckpointResult(
            isBusy: answer.busy != 0, walFrameCount: answer.log,
            checkpointedFrameCount: answer.checkpointed)
    }

    func pins(_ name: DatabaseName) throws(AdministrationError) -> [PinSummary] {
        let response = try client.send("GET", "\(Self.path(name))/pins")
        try check(response, name)
        return try decode(PinsAnswer.self, response).pins
    }

    func dropPin(_ id: ReplicaID, of name: DatabaseName) throws(AdministrationError) {
        try check(client.send("DELETE", "\(Self.path(name))/pins/\(id.hexadecimal)"), name)
    }

    func importFile(
        _ name: DatabaseName, from path: String, progress: @escaping (TransferProgress) -> Void
    ) throws(AdministrationError) -> ImportSummary {
        let descriptor = try Self.open(path, O_RDONLY)
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Self.inputOutput(path) }
        let size = UInt64(status.st_size)
        // From the last byte on, the server is at work: it checks the file before it answers.
        let response = try client.send(
            "PUT", "\(Self.path(name))/import",
            .file(descriptor: descriptor, size: size, type: "application/vnd.sqlite3")
        ) { sent in
            let step = sent < size ? "uploading" : "waiting for the server's checks"
            progress(TransferProgress(step: step, completedBytes: sent, totalBytes: size))
        }
        try check(response, name)
        let answer = try decode(ImportAnswer.self, response)
        return ImportSummary(
            pageCount: answer.pages, conversions: answer.conversions ?? [],
            warnings: answer.warnings ?? [])
    }

    func exportFile(
        _ name: DatabaseName, to path: String, progress: @escaping (TransferProgress) -> Void
    ) throws(AdministrationError) {
        // The answer is chunked; the listing says about how much will come.
        let expected = try list().first { $0.name == name.text }?.sizeBytes
        let descriptor = try Self.open(path, O_WRONLY | O_TRUNC)
        defer { close(descriptor) }
        let response = try client.send("GET", "\(Self.path(name))/export", to: descriptor) {
            progress(
                TransferProgress(
                    step: "downloading", completedBytes: $0, totalBytes: expected))
        }
        try check(response, name)
    }

    /// Throws what a status other than 200...299 says.
    ///
    /// - Parameter name: the database that the request was about.
    private func check(
        _ response: AdminHTTPClient.Response, _ name: DatabaseName?
    ) throws(AdministrationError) {
        guard !(200...299).contains(response.status) else { return }
        let answer = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(response.body))
        let message = answer?.error ?? "the server answered with status \(response.status)"
        switch (response.status, name) {
        case (404, let name?) where answer?.code == "database_unknown":
            throw .noSuchDatabase(name)
        case (404, _) where answer?.code == "pin_unknown": throw .rejected(message)
        case (404, _):
            // No error of ours: another server, or the port of the sync clients.
            throw .unavailable("\(client.base.text) is not a Tidemark admin listener")
        case (400...499, let name?) where answer?.code == "database_exists":
            throw .databaseExists(name)
        case (503, _): throw .unavailable(message)
        case (400...499, _): throw .rejected(message)
        default: throw .failed(message)
        }
    }

    private func decode<Answer: Decodable>(
        _ type: Answer.Type, _ response: AdminHTTPClient.Response
    ) throws(AdministrationError) -> Answer {
        do {
            return try JSONDecoder().decode(type, from: Data(response.body))
        } catch {
            throw .unavailable("\(client.base.text) is not a Tidemark admin listener")
        }
    }

    private static func path(_ name: DatabaseName) -> String { "/v1/namespaces/\(name.text)" }

    private static func open(_ path: String, _ flags: Int32) throws(AdministrationError) -> Int32 {
        let descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { throw inputOutput(path) }
        return descriptor
    }

    private static func inputOutput(_ path: String) -> AdministrationError {
        .inputOutput("\(path): \(unsafe String(cString: strerror(errno)))")
    }
}

extension RemoteAdministration {
    private struct ListAnswer: Decodable {
        struct Namespace: Decodable {
            let name: String
            let sizeBytes: UInt64
            let revision: String?

            enum CodingKeys: String, CodingKey {
                case name
                case sizeBytes = "size_bytes"
                case revision
            }
        }
        let namespaces: [Namespace]
    }

    private struct PinsAnswer: Decodable {
        let pins: [PinSummary]
    }

    private struct ImportAnswer: Decodable {
        let pages: UInt64?
        let conversions: [String]?
        let warnings: [String]?
    }

    private struct CheckpointAnswer: Decodable {
        let busy: Int
        let log: Int
        let checkpointed: Int
    }

    private struct ErrorAnswer: Decodable {
        let error: String
        let code: String?
    }
}
