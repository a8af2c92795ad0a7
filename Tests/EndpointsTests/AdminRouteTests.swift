import HTTP
import Primitives
import XCTest

@testable import Endpoints

/// Restates docs/protocol.md, "Admin API"; change the two together.
final class AdminRouteTests: XCTestCase {
    private func route(_ method: String, _ path: String) throws -> AdminRoute {
        try AdminRoute(
            HTTPRequestHead(
                method: method, path: path, query: nil, headers: HTTPHeaders(), isHTTP11: true,
                contentLength: nil))
    }

    func testRoutes() throws {
        let (a, b) = (try XCTUnwrap(DatabaseName("a")), try XCTUnwrap(DatabaseName("b")))
        let tenant = try XCTUnwrap(DatabaseName("d--g--t"))
        let rows: [(method: String, path: String, route: AdminRoute)] = [
            ("GET", "/health", .health), ("GET", "/version", .version),
            ("GET", "/v1/namespaces", .list), ("GET", "/v1/namespaces/", .list),
            ("POST", "/v1/namespaces/a/create", .create(a)),
            ("POST", "//v1//namespaces//a//create", .create(a)),
            ("DELETE", "/v1/namespaces/a", .delete(a)),
            ("PUT", "/v1/namespaces/a/import", .importDatabase(a)),
            ("POST", "/v1/namespaces/a/import", .importDatabase(a)),
            ("GET", "/v1/namespaces/a/export", .export(a)),
            ("POST", "/v1/namespaces/a/fork/b", .fork(from: a, to: b)),
            ("GET", "/v1/namespaces/a/stats", .stats(a)),
            ("GET", "/v1/namespaces/a/rejected", .rejected(a)),
            ("POST", "/v1/namespaces/a/checkpoint", .checkpoint(a)),
            ("GET", "/v1/namespaces/a/config", .readConfig(a)),
            ("POST", "/v1/namespaces/a/config", .writeConfig(a)),
            ("POST", "/v1/tenants/t", .acknowledge),
            ("POST", "/v1/tenants/t/groups/g", .acknowledge),
            ("POST", "/v1/tenants/t/groups/g/databases/d", .create(tenant)),
        ]
        for row in rows {
            XCTAssertEqual(
                try route(row.method, row.path), row.route, "\(row.method) \(row.path)")
        }
    }

    func testWhatIsNoRoute() {
        let long = String(repeating: "n", count: 100)
        let rows: [(method: String, path: String, status: Int)] = [
            ("GET", "/", 404), ("GET", "/v1", 404), ("POST", "/health", 404),
            ("POST", "/v1/namespaces", 404), ("GET", "/v1/namespaces/a", 404),
            ("GET", "/v1/namespaces/a/checkpoint", 404),
            ("GET", "/v1/namespaces/a/create", 404), ("POST", "/v1/namespaces/a/delete", 404),
            ("DELETE", "/v1/namespaces/a/b", 404), ("POST", "/v1/namespaces/a/fork", 404),
            ("POST", "/v1/namespaces/a/fork/b/c", 404), ("GET", "/v2/namespaces/a/stats", 404),
            ("GET", "/v1/tenants/t", 404), ("POST", "/v1/tenants", 404),
            ("POST", "/v1/tenants/t/groups", 404), ("POST", "/v1/tenants/t/other/g", 404),
            ("POST", "/v1/tenants/t/groups/g/databases", 404),
            ("POST", "/v1/tenants/t/groups/g/databases/d/more", 404),
            ("POST", "/v1/namespaces/../create", 400), ("DELETE", "/v1/namespaces/a.b", 400),
            ("POST", "/v1/namespaces/a/fork/..", 400), ("POST", "/v1/tenants/..", 400),
            ("POST", "/v1/tenants/t/groups/..", 400),
            ("POST", "/v1/tenants/t/groups/g/databases/..", 400),
            ("POST", "/v1/tenants/\(long)/groups/g/databases/\(long)", 400),
        ]
        for row in rows {
            XCTAssertThrowsError(
                try route(row.method, row.path), "\(row.method) \(row.path)"
            ) { error in
                let failure = error as? HTTPFailure
                XCTAssertEqual(failure?.status, row.status, "\(row.method) \(row.path)")
                XCTAssertEqual(
                    failure?.code, row.status == 404 ? "not_found" : "invalid_database_name")
            }
        }
    }
}
