import Synchronization
import XCTest

@testable import CommandLineOptions
@testable import tidemark

/// Command line over environment over file over default.
final class OptionPrecedenceTests: XCTestCase {
    private func resolve(
        _ arguments: [String] = [], _ environment: [String: String] = [:], file: String = ""
    ) throws -> ServeConfiguration {
        let parsed = try ServeOptions.table.parser.parse(["--config", "t.yaml"] + arguments)
        return try ServeOptions.table.resolve(parsed, environment: environment) {
            (path) throws(CommandFailure) in
            try ConfigurationFile.parse(Array(file.utf8), path: path)
        }.settings
    }

    func testTheNearestSourceWins() throws {
        XCTAssertEqual(try resolve().workers, 12)
        XCTAssertEqual(try resolve(file: "workers: 1").workers, 1)
        XCTAssertEqual(try resolve([], ["TIDEMARK_WORKERS": "2"], file: "workers: 1").workers, 2)
        XCTAssertEqual(
            try resolve(["--workers", "3"], ["TIDEMARK_WORKERS": "2"], file: "workers: 1").workers,
            3)
    }

    func testTheLastOfRepeatedFlagsWins() throws {
        XCTAssertEqual(try resolve(["--data", "a", "--data=b"]).dataDirectory, "b")
        XCTAssertThrowsError(try resolve(["--workers", "0", "--workers", "1"]))
    }

    func testTheCheckpointTiers() throws {
        let settings = try resolve(
            ["--truncate-page-n", "0", "--checkpoint-interval", "1m"],
            ["TIDEMARK_MIN_CHECKPOINT_PAGE_COUNT": "1"], file: "max-snapshot-age: 0")
        XCTAssertEqual(settings.truncatePageN, 0)
        XCTAssertEqual(settings.checkpointInterval, .seconds(60))
        XCTAssertEqual(settings.minCheckpointPageCount, 1)
        XCTAssertEqual(settings.maxSnapshotAge, .zero)
        XCTAssertEqual(try resolve(["--checkpoint-interval", "0"]).checkpointInterval, .zero)
        for wrong in [
            ["--min-checkpoint-page-count", "0"], ["--truncate-page-n", "-1"],
            ["--checkpoint-interval", "60"], ["--max-snapshot-age=-1s"],
        ] { XCTAssertThrowsError(try resolve(wrong), "\(wrong)") }
    }

    func testListsAreReplacedNotMerged() throws {
        func names(_ values: String...) -> [DomainName] { values.map { DomainName(text: $0) } }
        let file = "base-domain: [a.example, B.example]"
        XCTAssertEqual(try resolve().baseDomains, names("localhost"))
        XCTAssertEqual(try resolve(file: file).baseDomains, names("a.example", "b.example"))
        XCTAssertEqual(
            try resolve([], ["TIDEMARK_BASE_DOMAIN": "c.example, d.example"], file: file)
                .baseDomains, names("c.example", "d.example"))
        XCTAssertEqual(
            try resolve(["--base-domain", "x,y", "--base-domain=z", "--base-domain=x"], file: file)
                .baseDomains, names("x", "y", "z"))
    }

    func testSwitches() throws {
        XCTAssertTrue(try resolve(["--insecure-no-auth"]).isInsecureWithoutAuthentication)
        XCTAssertTrue(
            try resolve([], ["TIDEMARK_INSECURE_NO_AUTH": "1"]).isInsecureWithoutAuthentication)
        XCTAssertFalse(
            try resolve(["--insecure-no-auth=false"], file: "insecure-no-auth: true")
                .isInsecureWithoutAuthentication)
    }

    func testAnEmptyVariableCountsAsUnset() throws {
        XCTAssertEqual(try resolve([], ["TIDEMARK_WORKERS": ""]).workers, 12)
    }

    func testNoneTurnsTheAdminListenerOff() throws {
        XCTAssertNil(try resolve(["--admin-listen", "none"]).adminListen)
        XCTAssertNil(try resolve(file: "admin-listen: none").adminListen)
        XCTAssertThrowsError(try resolve(["--listen", "none"]))
    }

    func testEachSourceNamesItselfInItsErrors() {
        let rows: [(() throws -> ServeConfiguration, ExitCode, String)] = [
            (
                { try self.resolve(["--workers", "many"]) }, .usage,
                "--workers: 'many' is not a whole number"
            ),
            (
                { try self.resolve([], ["TIDEMARK_WORKERS": "0"]) }, .configuration,
                "TIDEMARK_WORKERS: '0' is not between 1 and 1024"
            ),
            (
                { try self.resolve(file: "\nworkers: 0") }, .configuration,
                "t.yaml:2: workers: '0' is not between 1 and 1024"
            ),
            (
                { try self.resolve(["--idle-timeout", "1ms"]) }, .usage,
                "--idle-timeout: '1ms' is not between 1s and 24h"
            ),
        ]
        for (body, exitCode, message) in rows {
            XCTAssertThrowsError(try body()) { error in
                let failure = error as? CommandFailure
                XCTAssertEqual(failure?.exitCode, exitCode)
                XCTAssertEqual(failure?.message, message)
            }
        }
    }

    func testTheFileCanBeNamedByTheEnvironment() throws {
        let read = Mutex<[String]>([])
        for (arguments, expected) in [([], "env.yaml"), (["--config=flag.yaml"], "flag.yaml")] {
            let parsed = try ServeOptions.table.parser.parse(arguments)
            _ = try ServeOptions.table.resolve(
                parsed, environment: ["TIDEMARK_CONFIG": "env.yaml"]
            ) { (path) throws(CommandFailure) in
                read.withLock { $0.append(path) }
                return ConfigurationFile(path: path, entries: [])
            }
            XCTAssertEqual(read.withLock { $0.last }, expected)
        }
    }

    func testEveryDefaultIsAnAllowedValue() throws {
        var settings = ServeConfiguration()
        for option in ServeOptions.table.options {
            guard let text = option.defaultText, option.name != "threads" else { continue }
            XCTAssertNoThrow(try option.apply(&settings, [text]), option.name)
        }
        XCTAssertEqual(settings, ServeConfiguration())
        XCTAssertTrue((1...4).contains(settings.threads))
    }
}
