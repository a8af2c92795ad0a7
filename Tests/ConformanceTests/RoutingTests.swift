import XCTest

/// Which database a request is for; docs/protocol.md, "Databases and names".
final class RoutingTests: ServerTestCase {
    override class var serverArguments: [String] {
        ["--base-domain", "localhost", "--base-domain", "Sync.Example.com"]
    }

    /// Makes a database of that name which knows its own name.
    private func makeNamed(_ name: String) throws {
        let database = server.database(name)
        let reply = try database.admin("POST", "/create")
        XCTAssertTrue([200, 400].contains(reply.status), reply.text)
        if reply.status == 200 {
            try database.sql("CREATE TABLE me(name)")
            try database.sql("INSERT INTO me VALUES('\(name)')")
        }
    }

    private func nameSeen(_ path: String, _ fields: [String]) throws -> String {
        let body = #"{"requests":[{"type":"execute","stmt":{"sql":"SELECT name FROM me"}}]}"#
        let reply = try server.request("POST", path, fields, body: Array(body.utf8))
        guard reply.status == 200 else { return "\(reply.status) \(reply.object["code"] ?? "")" }
        let result = SQLResult(reply)
        // The default database has no such table.
        return result.rows.first?.first ?? (result.failure == nil ? "nothing" : "default")
    }

    func testPathThenHeaderThenHostChooseTheDatabase() throws {
        for name in ["one", "two", "three", "MixedCase", "a-b_C9", "db--group--tenant"] {
            try makeNamed(name)
        }
        let base64 = Array("two".utf8)
        let rows: [(path: String, fields: [String], expected: String)] = [
            ("/v2/pipeline", [], "default"),
            ("//v2/pipeline", [], "default"),
            ("//v2//pipeline/", [], "default"),
            ("/db/one/v2/pipeline", [], "one"),
            ("/dev/one/v2/pipeline", [], "one"),
            ("//db//one//v2//pipeline", [], "one"),
            ("/db/one//v2/pipeline", [], "one"),
            ("/db/default/v2/pipeline", [], "default"),
            ("/db/a-b_C9/v2/pipeline?query=/db/two", [], "a-b_C9"),
            ("http://two.localhost/v2/pipeline", [], "two"),

            ("/v2/pipeline", ["x-namespace: one"], "one"),
            ("/v2/pipeline", ["X-Namespace: 127"], "default"),
            ("/v2/pipeline", ["x-namespace-bin: \(Data(base64).base64EncodedString())"], "two"),
            ("/v2/pipeline", ["x-namespace-bin: dHdv", "x-namespace: one"], "two"),
            ("/v2/pipeline", ["x-namespace-bin: MTI3"], "default"),

            ("/v2/pipeline", ["Host: one.localhost"], "one"),
            ("/v2/pipeline", ["Host: one.localhost:8080"], "one"),
            ("/v2/pipeline", ["Host: ONE.LocalHost."], "one"),
            ("/v2/pipeline", ["Host: one.sync.example.com"], "one"),
            ("/v2/pipeline", ["Host: mixedcase.localhost"], "MixedCase"),
            ("/v2/pipeline", ["Host: db--group--tenant.localhost"], "db--group--tenant"),
            ("/v2/pipeline", ["Host: localhost:8080"], "default"),
            ("/v2/pipeline", ["Host: sync.example.com"], "default"),
            ("/v2/pipeline", ["Host: one.example.com"], "default"),
            ("/v2/pipeline", ["Host: one.localhost.example.com"], "default"),
            ("/v2/pipeline", ["Host: 192.168.1.2:8080"], "default"),
            ("/v2/pipeline", ["Host: [::1]:8080"], "default"),
            ("/v2/pipeline", ["Host:"], "default"),

            ("/db/one/v2/pipeline", ["x-namespace: two", "Host: three.localhost"], "one"),
            ("/v2/pipeline", ["x-namespace: two", "Host: three.localhost"], "two"),
            ("/db/one/v2/pipeline", ["x-namespace: ../..", "Host: a.b.localhost"], "one"),
        ]
        for row in rows {
            XCTAssertEqual(
                try nameSeen(row.path, row.fields), row.expected, "\(row.path) \(row.fields)")
        }
    }

    /// The longest name that a path may have is also the longest folder name that is made.
    func testNames() throws {
        let longest = String(repeating: "n", count: 128)
        try makeNamed(longest)
        XCTAssertEqual(try nameSeen("/db/\(longest)/v2/pipeline", []), longest)
        let unknown = "404 database_unknown"
        let invalid = "400 invalid_database_name"
        let rows: [(path: String, fields: [String], expected: String)] = [
            ("/db/absent/v2/pipeline", [], unknown),
            ("/db/ONE-not/v2/pipeline", [], unknown),
            ("/v2/pipeline", ["x-namespace: absent"], unknown),
            ("/v2/pipeline", ["Host: absent.localhost"], unknown),
            ("/db/\(longest)n/v2/pipeline", [], invalid),
            ("/db/../v2/pipeline", [], invalid),
            ("/db/./v2/pipeline", [], invalid),
            ("/db/.hidden/v2/pipeline", [], invalid),
            ("/db/a.b/v2/pipeline", [], invalid),
            ("/db/%2e%2e/v2/pipeline", [], invalid),
            ("/db/%2E%2E%2Fetc/v2/pipeline", [], invalid),
            ("/db/one%2f..%2ftwo/v2/pipeline", [], invalid),
            ("/db/one%00/v2/pipeline", [], invalid),
            ("/db/a+b/v2/pipeline", [], invalid),
            ("/v2/pipeline", ["x-namespace: ../../etc"], invalid),
            ("/v2/pipeline", ["x-namespace: "], invalid),
            ("/v2/pipeline", ["x-namespace: a/b"], invalid),
            ("/v2/pipeline", ["x-namespace: n\u{F6}"], invalid),
            ("/v2/pipeline", ["x-namespace-bin: !"], invalid),
            ("/v2/pipeline", ["x-namespace-bin: Li4vLi4"], invalid),
            ("/v2/pipeline", ["Host: a.b.localhost"], invalid),
            ("/v2/pipeline", ["Host: .localhost"], invalid),
            ("/db", [], "404 not_found"),
            ("/db/one", [], "404 not_found"),
            ("/db/one/db/two/v2/pipeline", [], "404 not_found"),
            ("/../v2/pipeline", [], "404 not_found"),
            ("/v2/pipeline/../pipeline", [], "404 not_found"),
        ]
        let before = server.dataFiles
        for row in rows {
            XCTAssertEqual(
                try nameSeen(row.path, row.fields), row.expected, "\(row.path) \(row.fields)")
        }
        XCTAssertEqual(server.dataFiles, before)
    }

    func testMethodsAndPaths() throws {
        let rows: [(method: String, path: String, status: Int, allow: String?)] = [
            ("GET", "/health", 200, nil), ("HEAD", "/health", 200, nil),
            ("GET", "/version", 200, nil), ("GET", "/v2", 200, nil),
            ("GET", "/db/anything/health", 200, nil),
            ("POST", "/health", 405, "GET, HEAD"), ("DELETE", "/version", 405, "GET, HEAD"),
            ("GET", "/pull-updates", 405, "POST"), ("PUT", "/pull-updates", 405, "POST"),
            ("GET", "/v2/pipeline", 405, "POST"), ("HEAD", "/v2/pipeline", 405, "POST"),
            ("BREW", "/v2/pipeline", 405, "POST"),
            ("GET", "/", 404, nil), ("POST", "/v1/namespaces/x/create", 404, nil),
            ("POST", "/pull-update", 404, nil), ("POST", "/Pull-Updates", 404, nil),
            ("GET", "/infos", 404, nil), ("GET", "/info/1", 404, nil),
        ]
        for row in rows {
            let label = "\(row.method) \(row.path)"
            let reply = try server.request(
                row.method, row.path, body: row.method == "POST" ? [] : nil)
            XCTAssertEqual(reply.status, row.status, label)
            XCTAssertEqual(reply["allow"], row.allow, label)
            XCTAssertEqual(reply["access-control-allow-origin"], "*", label)
            if row.status >= 400, row.method != "HEAD" {
                assertFailure(
                    reply, row.status, row.status == 404 ? "not_found" : "method_not_allowed", label
                )
            }
        }
        XCTAssertEqual(try server.request("GET", "/health").text, #"{"status":"ok"}"#)
        XCTAssertEqual(
            try server.request("GET", "/version").object["name"] as? String, "tidemark")
        let head = try server.request("HEAD", "/health")
        XCTAssertEqual(head["content-length"], "15")
    }

    func testBrowsersMayAskFromAnyOrigin() throws {
        for path in ["/pull-updates", "/v2/pipeline", "/db/one/pull-updates", "/nowhere"] {
            let reply = try server.request(
                "OPTIONS", path,
                [
                    "Origin: https://app.example", "Access-Control-Request-Method: POST",
                    "Access-Control-Request-Headers: authorization, content-type",
                ])
            XCTAssertEqual(reply.status, 204, path)
            XCTAssertEqual(reply["access-control-allow-origin"], "*")
            XCTAssertTrue(reply["access-control-allow-methods"]?.contains("POST") ?? false)
            XCTAssertTrue(
                reply["access-control-allow-headers"]?.contains("authorization") ?? false)
            XCTAssertEqual(reply.body, [])
        }
        let pull = try server.request("POST", "/pull-updates", ["Origin: https://a"], body: [])
        XCTAssertEqual(pull["access-control-allow-origin"], "*")
    }

    /// Answering in plain text what was to be encrypted would be a pretence.
    func testAnEncryptionKeyIsRefusedAndNotLogged() throws {
        let key = "c2VjcmV0IGtleSBvZiBhIGNsaWVudA=="
        for path in ["/pull-updates", "/v2/pipeline", "/health"] {
            let reply = try server.request(
                path == "/health" ? "GET" : "POST", path, ["x-turso-encryption-key: \(key)"],
                body: [])
            assertFailure(reply, 400, "encryption_not_supported")
            XCTAssertFalse(reply.text.contains(key))
        }
        XCTAssertFalse(server.log.contains(key))
    }
}
