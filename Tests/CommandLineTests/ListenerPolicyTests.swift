import XCTest

@testable import CommandLineOptions
@testable import tidemark

final class ListenerPolicyTests: XCTestCase {
    func testWhatIsLoopback() throws {
        let rows = [
            ("127.0.0.1:1", true), ("127.255.0.9:1", true), ("[::1]:1", true),
            ("[0:0:0:0:0:0:0:1]:1", true), ("[::ffff:127.0.0.1]:1", true), ("localhost:1", true),
            ("LOCALHOST:1", true), ("0.0.0.0:1", false), ("[::]:1", false), ("10.0.0.1:1", false),
            ("128.0.0.1:1", false), ("192.168.1.1:1", false), ("[::2]:1", false),
            ("[::ffff:10.0.0.1]:1", false), ("[::127.0.0.1]:1", false), ("[fe80::1]:1", false),
            ("example.com:1", false), ("localhost.example.com:1", false),
            ("127.0.0.1.example:1", false),
        ]
        for (text, expected) in rows {
            XCTAssertEqual(try ListenAddress(optionText: text).isLoopback, expected, text)
        }
    }

    func testWhatMayStart() {
        let rows: [([String], Bool)] = [
            ([], true), (["--listen=localhost:80", "--admin-listen=[::1]:81"], true),
            (["--listen=0.0.0.0:80"], false), (["--admin-listen=0.0.0.0:81"], false),
            (["--listen=0.0.0.0:80", "--admin-listen=none"], false),
            (["--listen=0.0.0.0:80", "--admin-listen=0.0.0.0:81", "--insecure-no-auth"], true),
            (["--listen=127.0.0.1:8081"], false),
            (["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"], true),
        ]
        for (arguments, starts) in rows {
            let run = CommandRun(["serve"] + arguments)
            XCTAssertEqual(run.exitCode, starts ? 0 : 78, "\(arguments)")
            XCTAssertEqual(run.served != nil, starts, "\(arguments)")
        }
    }

    func testTheRefusalSaysWhyAndWhatToDo() {
        let run = CommandRun(["serve"], environment: ["TIDEMARK_LISTEN": "0.0.0.0:8080"])
        XCTAssertEqual(run.exitCode, 78)
        XCTAssertTrue(run.errors.contains("listen is 0.0.0.0:8080"), run.errors)
        XCTAssertTrue(run.errors.contains("authenticates nobody"), run.errors)
        XCTAssertTrue(run.errors.contains("--insecure-no-auth"), run.errors)
        XCTAssertEqual(run.output, "")
    }
}
