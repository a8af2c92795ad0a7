internal import HTTP
internal import Logging
internal import SQLStreams
internal import Storage
internal import WireProtocol

/// `POST /v2/pipeline`, `/v3/pipeline` and `/v3/cursor`: docs/protocol.md, "SQL pipeline".
struct PipelineEndpoint: Sendable {
    private let execution: PipelineExecution
    private let logger: Logger

    init(configuration: EndpointConfiguration, streams: StreamRegistry, logger: Logger) {
        var options = PipelineRunner.Options()
        options.limits.statementTime = configuration.statementTimeout ?? .seconds(1 << 32)
        options.limits.pushStatementTime = max(
            options.limits.pushStatementTime, options.limits.statementTime)
        options.limits.responseSize = configuration.maximumResponseSize
        execution = PipelineExecution(options: options, streams: streams)
        self.logger = logger
    }

    /// Call on a worker: it parses the body.
    func handle(
        _ body: [UInt8], form: PipelineRequest.Form, lease: DatabaseLease,
        responder: any HTTPResponder
    ) {
        let request: PipelineRequest
        do { request = try PipelineRequest(decoding: body, as: form) } catch {
            responder.respond(error.httpFailure.response)
            return
        }
        // As the reference server has it: lines of JSON are no JSON.
        let contentType = form == .cursor ? "text/plain" : "application/json"
        execution.run(request, lease: lease) { [logger] result in
            switch result {
            case .success(let answer):
                responder.respond(
                    HTTPResponse(
                        status: 200, headers: [("content-type", contentType)],
                        body: .bytes(answer)))
            case .failure(let failure):
                let answer = failure.httpFailure
                if answer.status == 500 {
                    logger.error(
                        "sql_failed", [("database", lease.name.text), ("error", "\(failure)")])
                }
                responder.respond(answer.response)
            }
        }
    }
}
