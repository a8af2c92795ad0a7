import Foundation
import XCTest

@testable import CommandLineOptions
@testable import tidemark

/// The documents say what the code does.
final class DocumentationTests: XCTestCase {
    private func document(_ path: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    func testOperationsListsEveryOptionOfServe() throws {
        let lines = try document("docs/operations.md").components(separatedBy: "\n")
        let rows = ServeOptions.table.options.map { OptionDocumentation($0).markdownRow }
        XCTAssertEqual(
            lines.filter { $0.hasPrefix("| `--") }, rows,
            "the table has to be:\n\(rows.joined(separator: "\n"))\n")
    }

    func testOperationsListsEveryExitCode() throws {
        let lines = try document("docs/operations.md").components(separatedBy: "\n")
        let rows = ExitCode.allCases.map { "| \($0.rawValue) | \($0.meaning) |" }
        let documented = lines.filter {
            $0.range(of: #"^\| \d+ \|"#, options: .regularExpression) != nil
        }
        XCTAssertEqual(documented, rows)
    }

    func testOperationsListsEveryDatabaseCommand() throws {
        let text = try document("docs/operations.md")
        for command in DatabaseCommand.command.subcommands {
            let words = ([command.name] + command.operands.map(\.name)).joined(separator: " ")
            XCTAssertTrue(text.contains("| `tidemark db \(words)"), words)
        }
    }

    func testTheExampleConfigurationIsAccepted() throws {
        let text = try document("deploy/tidemark.yaml")
        let settings = try resolve(text)
        var expected = ServeConfiguration()
        expected.configurationFile = "tidemark.yaml"
        expected.dataDirectory = "/var/lib/tidemark"
        XCTAssertEqual(settings, expected)
        XCTAssertNoThrow(try ListenerPolicy.check(settings))
    }

    /// With its comments taken off, it holds every option, at its default.
    func testTheExampleConfigurationShowsEveryOption() throws {
        let text = try document("deploy/tidemark.yaml")
        let names = ServeOptions.table.options.filter { $0.scope == .everywhere }.map(\.name)
        var uncommented = ""
        for line in text.components(separatedBy: "\n") {
            let isOption = names.contains { line.hasPrefix("# \($0):") }
            uncommented += (isOption ? String(line.dropFirst(2)) : line) + "\n"
        }
        let file = try ConfigurationFile.parse(Array(uncommented.utf8), path: "tidemark.yaml")
        XCTAssertEqual(Set(file.entries.map(\.key)), Set(names))
        var expected = ServeConfiguration()
        expected.configurationFile = "tidemark.yaml"
        expected.dataDirectory = "/var/lib/tidemark"
        var settings = try resolve(uncommented)
        settings.threads = expected.threads
        XCTAssertEqual(settings, expected)
    }

    private func resolve(_ yaml: String) throws -> ServeConfiguration {
        try ServeOptions.table.resolve(
            .init(texts: ["config": ["tidemark.yaml"]]), environment: [:]
        ) { (path) throws(CommandFailure) in
            try ConfigurationFile.parse(Array(yaml.utf8), path: path)
        }.settings
    }
}
