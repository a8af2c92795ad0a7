internal import HTTP

/// What browsers ask for before and after they let a page use the server (CORS).
enum CrossOrigin {
    static let preflight = HTTPResponse(
        status: 204,
        headers: [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET, HEAD, POST, OPTIONS"),
            // The wildcard does not cover authorization.
            ("access-control-allow-headers", "*, authorization, content-type"),
            ("access-control-max-age", "86400"),
        ])

    static func allow(_ response: HTTPResponse) -> HTTPResponse {
        var response = response
        response.headers.append(("access-control-allow-origin", "*"))
        return response
    }
}
