import Foundation
import XCTest

@testable import CommandLineOptions
@testable import tidemark

/// The real process: its streams, its exit code and its signals.
final class ProcessTests: XCTestCase {
    /// The executable is built beside that of the tests.
    private func executable() throws -> URL {
        let tests = try XCTUnwrap(Bundle.main.executableURL)
        return tests.deletingLastPathComponent().appendingPathComponent("tidemark")
    }

    private func start(_ arguments: [String]) throws -> (Process, output: Pipe, errors: Pipe) {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = try executable()
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return (process, output, errors)
    }

    func testOutputAndErrorsGoToTheirStreams() throws {
        let rows: [([String], Int32, String, String)] = [
            (["version"], 0, "tidemark 0.1.0\n", ""),
            (["version", "x"], 64, "", "unexpected argument 'x'"),
        ]
        for (arguments, exitCode, output, errors) in rows {
            let (process, outputPipe, errorPipe) = try start(arguments)
            let written = outputPipe.fileHandleForReading.readDataToEndOfFile()
            let complained = errorPipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            XCTAssertEqual(process.terminationStatus, exitCode)
            XCTAssertEqual(String(decoding: written, as: UTF8.self), output)
            let text = String(decoding: complained, as: UTF8.self)
            XCTAssertEqual(text.isEmpty, errors.isEmpty, text)
            XCTAssertTrue(errors.isEmpty || text.contains(errors), text)
        }
    }

    func testAnInterruptedExportLeavesNothingBehind() throws {
        for signal in [SIGINT, SIGTERM] {
            let directory = try TemporaryDirectory()
            let server = try ScriptedServer([
                .noDatabases,
                .stall("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
            ])
            let (process, _, _) = try start([
                "db", "export", "notes", directory.file("x.db"), "--admin", server.url,
            ])
            server.waitUntilStalled()
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
            XCTAssertEqual(process.terminationStatus, 128 + signal)
            XCTAssertEqual(directory.names, [])
            _ = server.finish()
        }
    }
}
