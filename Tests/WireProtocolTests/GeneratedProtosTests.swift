import Foundation
import XCTest

/// Sources/CSyncProtos is generated and checked in; this fails when Protos/ has moved on without
/// it. `make protos` puts it right. Set-up installs protoc-c, so its absence is a failure too.
final class GeneratedProtosTests: XCTestCase {
    func testGeneratedCodeIsUpToDate() throws {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let output = FileManager.default.temporaryDirectory
            .appendingPathComponent("tidemark-protos-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: output) }

        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = [
            "protoc-c", "--proto_path=\(root.path)/Protos", "--c_out=\(output.path)", "sync.proto",
        ]
        try compiler.run()
        compiler.waitUntilExit()
        XCTAssertEqual(compiler.terminationStatus, 0, "protoc-c is missing or failed")

        for (generated, checkedIn) in [
            ("sync.pb-c.c", "Sources/CSyncProtos/sync.pb-c.c"),
            ("sync.pb-c.h", "Sources/CSyncProtos/include/sync.pb-c.h"),
        ] {
            XCTAssertEqual(
                try String(contentsOf: output.appendingPathComponent(generated), encoding: .utf8),
                try String(contentsOf: root.appendingPathComponent(checkedIn), encoding: .utf8),
                "\(checkedIn) is stale: run make protos")
        }
    }
}
