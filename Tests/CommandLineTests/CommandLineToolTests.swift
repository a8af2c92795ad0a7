import XCTest

@testable import CommandLineOptions
@testable import tidemark

final class CommandLineToolTests: XCTestCase {
    func testHelpIsThereOnEveryLevel() {
        let rows: [([String], String)] = [
            (["--help"], "Usage: tidemark COMMAND"), (["-h"], "Usage: tidemark COMMAND"),
            (["help"], "Usage: tidemark COMMAND"), (["help", "help"], "Usage: tidemark help"),
            (["serve", "--help"], "Usage: tidemark serve [options]"),
            (["serve", "--data", "x", "-h"], "Usage: tidemark serve [options]"),
            (["help", "serve"], "Usage: tidemark serve [options]"),
            (["db", "--help"], "Usage: tidemark db COMMAND"),
            (["help", "db"], "Usage: tidemark db COMMAND"),
            (["db", "import", "--help"], "Usage: tidemark db import NAME FILE [options]"),
            (["help", "db", "import"], "Usage: tidemark db import NAME FILE [options]"),
            (["version", "--help"], "Usage: tidemark version [options]"),
        ]
        for (arguments, usage) in rows {
            let run = CommandRun(arguments)
            XCTAssertEqual(run.exitCode, 0, "\(arguments)")
            XCTAssertTrue(run.output.contains(usage), "\(arguments): \(run.output)")
            XCTAssertEqual(run.errors, "", "\(arguments)")
        }
    }

    func testHelpFitsATerminal() {
        func check(_ command: Command, _ path: String) {
            for line in command.helpText(path: path).split(separator: "\n") {
                XCTAssertLessThanOrEqual(line.count, 90, String(line))
            }
            for next in command.subcommands { check(next, "\(path) \(next.name)") }
        }
        check(CommandLineTool.root, "tidemark")
    }

    func testMistakesGoToStandardErrorWithExitCode64() {
        let rows: [([String], String)] = [
            ([], "Usage: tidemark COMMAND"), (["db"], "Usage: tidemark db COMMAND"),
            (["sreve"], "unknown command 'sreve'\nDid you mean 'serve'?\nTry 'tidemark --help'."),
            (["db", "lst"], "Did you mean 'list'?\nTry 'tidemark db --help'."),
            (["help", "nothing"], "unknown command 'nothing'"),
            (["help", "serve", "more"], "'serve' has no commands of its own"),
            (["--data", "x", "serve"], "unknown option --data"),
            (["serve", "now"], "unexpected argument 'now'"),
            (["serve", "--lisen=x"], "unknown option --lisen\nDid you mean --listen?"),
            (["serve", "--listen", "8080"], "--listen: '8080' is not HOST:PORT"),
            (["db", "create"], "NAME is missing"),
            (["db", "import", "x"], "FILE is missing"),
            (["db", "list", "--quiet"], "unknown option --quiet"),
            (["version", "-x"], "unknown option -x"),
        ]
        for (arguments, message) in rows {
            let run = CommandRun(arguments)
            XCTAssertEqual(run.exitCode, 64, "\(arguments)")
            XCTAssertTrue(run.errors.contains(message), "\(arguments): \(run.errors)")
            XCTAssertEqual(run.output, "", "\(arguments)")
        }
    }

    func testVersion() {
        XCTAssertEqual(CommandRun(["version"]).output, "tidemark 0.1.0\n")
        XCTAssertEqual(CommandRun(["--version"]).output, "tidemark 0.1.0\n")
        let libraries = CommandRun(["version", "-v"]).output.split(separator: "\n").dropFirst()
        XCTAssertEqual(libraries.count, LibraryVersions.all.count)
        for library in libraries {
            let words = library.split(separator: " ")
            XCTAssertEqual(words.count, 2, String(library))
            XCTAssertTrue(words.last?.first?.isNumber == true, String(library))
        }
    }

    func testServeGetsWhatWasAsked() {
        let run = CommandRun(
            ["serve", "--data", "d", "--max-body-size=1GiB"],
            environment: ["TIDEMARK_LONG_POLL_MAX": "5s", "TIDEMARK_PORT": "tcp://1.2.3.4"])
        var expected = ServeConfiguration()
        expected.dataDirectory = "d"
        expected.maxBodySize = .gibibytes(1)
        expected.longPollMax = .seconds(5)
        XCTAssertEqual(run.served, expected)
    }

    func testReadyLine() {
        let http = ListenAddress(host: "127.0.0.1", port: 8080)
        let admin = ListenAddress(host: "::1", port: 8081)
        XCTAssertEqual(
            ServeCommand.readyLine(http: http, admin: admin),
            "ready http=127.0.0.1:8080 admin=[::1]:8081\n")
        XCTAssertEqual(
            ServeCommand.readyLine(http: http, admin: nil),
            "ready http=127.0.0.1:8080 admin=none\n")
    }
}
