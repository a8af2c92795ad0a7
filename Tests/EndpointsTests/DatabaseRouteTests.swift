import HTTP
import XCTest

@testable import Endpoints

/// Restates docs/protocol.md, "Which database"; change the two together.
final class DatabaseRouteTests: XCTestCase {
    private func route(
        _ path: String, _ fields: [(String, String)] = [], bases: [String] = ["localhost"]
    ) throws -> DatabaseRoute {
        var headers = HTTPHeaders()
        for (name, value) in fields { headers.append(name: name, value: value) }
        return try DatabaseRoute(path: path, headers: headers, baseDomains: bases)
    }

    func testThePathIsSplitIntoDatabaseAndRoute() throws {
        let rows: [(path: String, database: String, route: String)] = [
            ("/", "default", "/"), ("//", "default", "/"),
            ("/pull-updates", "default", "/pull-updates"),
            ("//pull-updates", "default", "/pull-updates"),
            ("/v2/pipeline/", "default", "/v2/pipeline"),
            ("/db/one", "one", "/"), ("/db/one/", "one", "/"),
            ("/db/one/pull-updates", "one", "/pull-updates"),
            ("/dev/one/v2/pipeline", "one", "/v2/pipeline"),
            ("///db///one///v2///pipeline///", "one", "/v2/pipeline"),
            ("/db/db/db", "db", "/db"), ("/db/one/db/two", "one", "/db/two"),
            // A prefix without a name is an ordinary path.
            ("/db", "default", "/db"), ("/dev/", "default", "/dev"),
            ("/DB/one", "default", "/DB/one"), ("/x/db/one", "default", "/x/db/one"),
            // Dots have no meaning: nothing is resolved against a folder.
            ("/../x", "default", "/../x"), ("/x/../y", "default", "/x/../y"),
        ]
        for row in rows {
            let route = try route(row.path)
            XCTAssertEqual(route.database.name.text, row.database, row.path)
            XCTAssertEqual(route.path, row.route, row.path)
            XCTAssertFalse(route.database.ignoresCase, row.path)
        }
    }

    func testPathThenHeaderThenHost() throws {
        let bin = ("x-namespace-bin", "Ymlu"), plain = ("x-namespace", "plain")
        let host = ("host", "host.localhost")
        let rows: [(path: String, fields: [(String, String)], database: String)] = [
            ("/db/path/x", [bin, plain, host], "path"),
            ("/x", [bin, plain, host], "bin"), ("/x", [plain, bin, host], "bin"),
            ("/x", [plain, host], "plain"), ("/x", [host], "host"), ("/x", [], "default"),
            // What is further down is not even looked at.
            ("/db/path/x", [("x-namespace", "../.."), ("host", "a.b.localhost")], "path"),
            ("/x", [plain, ("host", "a.b.localhost")], "plain"),
            ("/x", [("x-namespace", "127")], "default"),
            ("/x", [("x-namespace-bin", "MTI3")], "default"),
            ("/x", [("x-namespace-bin", "MTI3=")], ""),
            ("/db/127/x", [], "127"),
        ]
        for row in rows {
            let name = try? route(row.path, row.fields).database.name.text
            XCTAssertEqual(name ?? "", row.database, "\(row.path) \(row.fields)")
        }
    }

    func testHostNames() throws {
        let rows: [(host: String, database: String?)] = [
            ("", "default"), ("localhost", "default"), ("LOCALHOST:8080", "default"),
            ("one.localhost", "one"), ("one.localhost:8080", "one"), ("one.localhost.", "one"),
            ("one.localhost.:8080", "one"), ("One.LocalHost", "one"), ("a-b_c.localhost", "a-b_c"),
            ("d--g--t.localhost:80", "d--g--t"), ("one.base.example", "one"),
            ("base.example", "default"), ("example", "default"), ("one.example", "default"),
            ("onelocalhost", "default"), ("one.localhost.example", "default"),
            ("127.0.0.1", "default"), ("127.0.0.1:8080", "default"), ("10.1.2.3", "default"),
            ("[::1]", "default"), ("[::1]:8080", "default"), ("[one.localhost]", nil),
            ("a.b.localhost", nil), (".localhost", nil), ("a b.localhost", nil),
            ("\(String(repeating: "n", count: 129)).localhost", nil),
        ]
        for row in rows {
            do {
                let reference = try route(
                    "/x", [("host", row.host)], bases: ["localhost", "Base.Example"]
                ).database
                XCTAssertEqual(reference.name.text, row.database, row.host)
                XCTAssertEqual(reference.ignoresCase, row.database != "default", row.host)
            } catch {
                XCTAssertNil(row.database, row.host)
                XCTAssertEqual(error as? DatabaseRoute.Failure, .invalidName, row.host)
            }
        }
    }

    func testNamesThatAreNone() {
        let longest = String(repeating: "n", count: 128)
        XCTAssertNoThrow(try route("/db/\(longest)/x"))
        for name in [
            "..", ".", ".x", "x.", "a.b", "%2e%2e", "a%2fb", "a%00", "a+b", "a b", "a\\b", "ö", "~",
            "\(longest)n",
        ] {
            XCTAssertThrowsError(try route("/db/\(name)/x"), name) {
                XCTAssertEqual($0 as? DatabaseRoute.Failure, .invalidName)
            }
            XCTAssertThrowsError(try route("/x", [("x-namespace", name)]), name)
        }
        for encoded in ["!", "Li4", "YS9i", "", "YQ==="] {
            XCTAssertThrowsError(try route("/x", [("x-namespace-bin", encoded)]), encoded)
        }
    }

    func testAPathMustBeginWithASlash() {
        for path in ["", "*", "x", "db/one/x"] {
            XCTAssertThrowsError(try route(path), path) {
                XCTAssertEqual($0 as? DatabaseRoute.Failure, .invalidPath)
            }
        }
    }
}
