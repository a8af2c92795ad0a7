internal import HTTP
internal import Transport

/// What the connections of one `HTTPServer.start` have in common.
struct Service: Sendable {
    let handler: any HTTPHandler
    let budget: ConnectionBudget
}
