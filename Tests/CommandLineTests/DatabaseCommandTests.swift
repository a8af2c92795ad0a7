import Endpoints
import Foundation
import Primitives
import SQLite
import Synchronization
import XCTest

@testable import CommandLineOptions
@testable import tidemark

final class DatabaseCommandTests: XCTestCase {
    /// Databases in memory; an export holds the database's name.
    private final class MemoryAdministration: DatabaseAdministration, Sendable {
        let names: Mutex<Set<DatabaseName>>
        let exportFails: Bool

        init(_ names: String..., exportFails: Bool = false) {
            self.names = Mutex(Set(names.compactMap { DatabaseName($0) }))
            self.exportFails = exportFails
        }

        func create(_ name: DatabaseName) throws(AdministrationError) {
            guard names.withLock({ $0.insert(name).inserted }) else { throw .databaseExists(name) }
        }

        func list() throws(AdministrationError) -> [DatabaseSummary] {
            names.withLock { $0.sorted() }.map {
                DatabaseSummary(name: $0.text, sizeBytes: 4096, revision: "r\"1/2")
            }
        }

        func statistics(
            _ name: DatabaseName
        ) throws(AdministrationError) -> StatisticsReport {
            guard names.withLock({ $0.contains(name) }) else { throw .noSuchDatabase(name) }
            return DatabaseCommandTests.report
        }

        func delete(_ name: DatabaseName) throws(AdministrationError) {
            guard names.withLock({ $0.remove(name) }) != nil else { throw .noSuchDatabase(name) }
        }

        /// SQLite's numbers for a WAL of three frames; a reader is in the way of FULL.
        func checkpoint(
            _ name: DatabaseName, _ mode: CheckpointMode
        ) throws(AdministrationError) -> CheckpointResult {
            guard names.withLock({ $0.contains(name) }) else { throw .noSuchDatabase(name) }
            let count = mode == .truncate ? 0 : 3
            return CheckpointResult(
                isBusy: mode == .full, walFrameCount: count,
                checkpointedFrameCount: mode == .full ? 1 : count)
        }

        func pins(_ name: DatabaseName) throws(AdministrationError) -> [PinSummary] {
            guard name.text == "notes" else { return [] }
            return [
                PinSummary(
                    id: "1f", base: 3, basePages: 70_000, echoed: 10, position: 1234,
                    lastUse: "2030-01-02T03:04:05.000Z"),
                PinSummary(
                    id: "abcdef0123456789", base: 2, basePages: 1, echoed: 2, position: 2,
                    lastUse: "2030-01-01T03:04:05.000Z"),
            ]
        }

        func dropPin(_ id: ReplicaID, of name: DatabaseName) throws(AdministrationError) {
            guard id == ReplicaID(0x1F) else { throw .rejected("the database has no such pin") }
        }

        func importFile(
            _ name: DatabaseName, from path: String,
            progress: @escaping (TransferProgress) -> Void
        ) throws(AdministrationError) -> ImportSummary {
            try create(name)
            return ImportSummary(pageCount: 3, warnings: ["careful"])
        }

        func exportFile(
            _ name: DatabaseName, to path: String,
            progress: @escaping (TransferProgress) -> Void
        ) throws(AdministrationError) {
            guard let file = FileHandle(forWritingAtPath: path) else {
                throw .inputOutput(path)
            }
            file.write(Data(name.text.utf8))
            if exportFails { throw .failed("half way") }
        }
    }

    private func run(
        _ arguments: String..., on administration: MemoryAdministration = .init("notes"),
        answer: String? = nil
    ) -> CommandRun {
        CommandRun(["db"] + arguments, answer: answer, administration: administration)
    }

    func testCreate() {
        let administration = MemoryAdministration()
        XCTAssertEqual(run("create", "a", on: administration).output, "created a\n")
        let again = run("create", "a", on: administration)
        XCTAssertEqual(again.exitCode, 73)
        XCTAssertEqual(again.errors, "tidemark: there is already a database 'a'\n")
        XCTAssertEqual(run("create", "--", "-x_", on: administration).exitCode, 0)
    }

    func testPins() {
        XCTAssertEqual(
            run("pins", "notes").output,
            """
            ID                LAST USE                  BASE  ECHOED  POSITION  PAGES
            1f                2030-01-02T03:04:05.000Z  3     10      1234      70000
            abcdef0123456789  2030-01-01T03:04:05.000Z  2     2       2         1

            """)
        XCTAssertEqual(run("pins", "other", "--json").output, "[]\n")
        XCTAssertTrue(
            run("pins", "notes", "--json").output.contains(
                #"{"base":3,"base_pages":70000,"echoed":10,"id":"1f","#))
        XCTAssertEqual(run("drop-pin", "notes", "1f").output, "dropped 1f\n")
        let unknown = run("drop-pin", "notes", "2")
        XCTAssertEqual(unknown.exitCode, 65)
        XCTAssertEqual(unknown.errors, "tidemark: the database has no such pin\n")
        for wrong in ["1G", "1F", "", "12345678901234567"] {
            XCTAssertEqual(run("drop-pin", "notes", wrong).exitCode, 65, wrong)
        }
        XCTAssertEqual(run("drop-pin", "notes").exitCode, 64)
    }

    func testNamesAreChecked() {
        for name in ["", "a/b", "..", "a.b", "ä", String(repeating: "a", count: 129)] {
            XCTAssertEqual(run("create", name).exitCode, 65, name)
            XCTAssertEqual(run("delete", "--yes", name).exitCode, 65, name)
        }
    }

    func testList() throws {
        let administration = MemoryAdministration("b", "longer")
        XCTAssertEqual(
            run("list", on: administration).output,
            "NAME    BYTES  REVISION\nb        4096  r\"1/2\nlonger   4096  r\"1/2\n")
        let json = run("list", "--json", on: administration).output
        let objects = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]]
        XCTAssertEqual(objects?.map { $0["name"] as? String }, ["b", "longer"])
        XCTAssertEqual(objects?.map { $0["size_bytes"] as? Int }, [4096, 4096])
        XCTAssertEqual(objects?.map { $0["revision"] as? String }, ["r\"1/2", "r\"1/2"])
        XCTAssertEqual(run("list", "--json", on: MemoryAdministration()).output, "[]\n")
    }

    private static var report: StatisticsReport {
        let body = #"""
            {"revision":"tm1.x","generation":null,"pages":7,"wal_pages":3,"wal_bytes":12392,
            "main_bytes":28672,"history_bytes":0,"frame_bytes":0,"cache_bytes":0,"pins":1,"dropped_pins":0,"rejected_changes":2,
            "last_checkpoint":{"mode":"passive","result":"complete","busy":0,"log":12,
            "checkpointed":12,"time":"2026-01-31T12:00:00Z"},"bytes_sent":100,
            "bytes_received":50,"long_polls":4,"open_streams":5}
            """#
        return try! JSONDecoder().decode(StatisticsReport.self, from: Data(body.utf8))
    }

    func testStats() throws {
        XCTAssertEqual(
            run("stats", "notes").output,
            """
            revision          tm1.x
            generation        none
            pages             7
            WAL pages         3
            WAL bytes         12392
            main bytes        28672
            history bytes     0
            frame bytes       0
            cache bytes       0
            pins              1
            dropped pins      0
            rejected changes  2
            last checkpoint   passive, complete, 12 of 12 frames, 2026-01-31T12:00:00Z
            bytes sent        100
            bytes received    50
            long polls        4
            open streams      5

            """)
        let json = run("stats", "notes", "--json").output
        XCTAssertTrue(json.hasSuffix("}\n"))
        XCTAssertEqual(
            try JSONDecoder().decode(StatisticsReport.self, from: Data(json.utf8)), Self.report)
        XCTAssertEqual(run("stats", "other").exitCode, 66)
        XCTAssertEqual(run("stats").exitCode, 64)
    }

    func testDeleteAsksFirst() {
        let rows: [([String], String?, Int32)] = [
            (["--yes"], nil, 0), (["-y"], nil, 0), ([], nil, 64), ([], "y", 0), ([], "YES", 0),
            ([], "", 64), ([], "n", 64), ([], "notes", 64),
        ]
        for (options, answer, exitCode) in rows {
            let administration = MemoryAdministration("notes")
            let run = CommandRun(
                ["db", "delete", "notes"] + options, answer: answer,
                administration: administration)
            XCTAssertEqual(run.exitCode, exitCode, "\(options) \(answer ?? "-")")
            XCTAssertEqual(administration.names.withLock { $0.isEmpty }, exitCode == 0)
        }
        XCTAssertEqual(run("delete", "--yes", "other").exitCode, 66)
    }

    func testCheckpoint() {
        let rows: [(options: [String], numbers: String)] = [
            ([], "busy 0, log 3, checkpointed 3"),
            (["--mode", "passive"], "busy 0, log 3, checkpointed 3"),
            (["--mode=FULL"], "busy 1, log 3, checkpointed 1"),
            (["--mode", "restart"], "busy 0, log 3, checkpointed 3"),
            (["--mode", "Truncate"], "busy 0, log 0, checkpointed 0"),
        ]
        for (options, numbers) in rows {
            let run = CommandRun(
                ["db", "checkpoint", "notes"] + options,
                administration: MemoryAdministration("notes"))
            XCTAssertEqual(run.exitCode, 0, "readers in the way are no failure")
            XCTAssertEqual(run.output, "checkpointed notes: \(numbers)\n")
            XCTAssertEqual(run.errors.isEmpty, !numbers.hasPrefix("busy 1"), run.errors)
        }
        XCTAssertEqual(run("checkpoint", "notes", "--mode", "hard").exitCode, 64)
        XCTAssertEqual(run("checkpoint", "other").exitCode, 66)
        XCTAssertEqual(run("checkpoint").exitCode, 64)
    }

    /// On a data directory of its own, without a server.
    func testACheckpointOfADataDirectory() throws {
        let directory = try TemporaryDirectory()
        let administration = LocalAdministration(directory: directory.file("data"))
        let notes = try XCTUnwrap(DatabaseName("notes"))
        try administration.create(notes)
        for mode in CheckpointMode.allCases {
            XCTAssertEqual(
                try administration.checkpoint(notes, mode),
                CheckpointResult(isBusy: false, walFrameCount: 0, checkpointedFrameCount: 0))
        }
        let other = try XCTUnwrap(DatabaseName("other"))
        XCTAssertThrowsError(try administration.checkpoint(other, .passive)) { error in
            XCTAssertEqual(error as? AdministrationError, .noSuchDatabase(other))
        }
    }

    func testImport() throws {
        let directory = try TemporaryDirectory()
        try directory.write([1], to: "x.db")
        let imported = run("import", "new", directory.file("x.db"))
        XCTAssertEqual(imported.exitCode, 0)
        XCTAssertEqual(imported.output, "imported new (3 pages)\n")
        XCTAssertEqual(imported.errors, "tidemark: warning: careful\n")
        XCTAssertEqual(run("import", "notes", directory.file("x.db")).exitCode, 73)
        XCTAssertEqual(run("import", "new", directory.file("none.db")).exitCode, 66)
        XCTAssertEqual(run("import", "new", directory.path).exitCode, 65)
    }

    func testExport() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("x.db")
        XCTAssertEqual(run("export", "notes", path).output, "exported notes to \(path)\n")
        XCTAssertEqual(directory.read("x.db"), Array("notes".utf8))
        try directory.write([1], to: "x.db")
        let refused = run("export", "notes", path)
        XCTAssertEqual(refused.exitCode, 73)
        XCTAssertEqual(refused.errors, "tidemark: \(path) exists\nReplace it with --force.\n")
        XCTAssertEqual(directory.read("x.db"), [1])
        XCTAssertEqual(run("export", "notes", path, "--force").exitCode, 0)
        XCTAssertEqual(directory.read("x.db"), Array("notes".utf8))
        XCTAssertEqual(directory.names, ["x.db"])
        XCTAssertEqual(run("export", "notes", directory.file("none/x.db")).exitCode, 73)
        XCTAssertEqual(run("export", "notes", directory.path, "--force").exitCode, 73)
    }

    func testAFailedExportLeavesNothingBehind() throws {
        let directory = try TemporaryDirectory()
        try directory.write([1], to: "x.db")
        let run = run(
            "export", "notes", directory.file("x.db"), "--force",
            on: MemoryAdministration(exportFails: true))
        XCTAssertEqual(run.exitCode, 70)
        XCTAssertEqual(directory.names, ["x.db"])
        XCTAssertEqual(directory.read("x.db"), [1])
    }

    func testAFileThatAppearsMeanwhileIsNotReplaced() throws {
        let directory = try TemporaryDirectory()
        let output = try OutputFile(replacing: directory.file("x.db"), overwrites: false)
        try directory.write([1], to: "x.db")
        XCTAssertThrowsError(try output.commit())
        XCTAssertEqual(directory.read("x.db"), [1])
        XCTAssertEqual(directory.names, ["x.db"])
    }

    func testWhichDatabasesAreMeant() throws {
        let rows: [([String], [String: String], String?)] = [
            ([], [:], "./data"), (["--data", "d"], [:], "d"),
            ([], ["TIDEMARK_DATA": "e"], "e"),
            (["--data", "d"], ["TIDEMARK_ADMIN": "http://127.0.0.1:1"], "d"),
            ([], ["TIDEMARK_ADMIN": "http://127.0.0.1:1", "TIDEMARK_DATA": "e"], nil),
            (["--admin", "http://127.0.0.1:1"], ["TIDEMARK_DATA": "e"], nil),
        ]
        for (arguments, environment, directory) in rows {
            let run = CommandRun(
                ["db", "list"] + arguments, environment: environment,
                administration: MemoryAdministration())
            XCTAssertEqual(run.openedDirectory, directory, "\(arguments) \(environment)")
            // Nothing listens on port 1.
            XCTAssertEqual(run.exitCode, directory == nil ? 69 : 0)
        }
        let both = CommandRun(["db", "list", "--data", "d", "--admin", "http://127.0.0.1:1"])
        XCTAssertEqual(both.exitCode, 64)
    }

    func testALockedDirectoryPointsToTheRunningServer() {
        let run = CommandRun(["db", "list"])
        XCTAssertEqual(run.exitCode, 69)
        XCTAssertTrue(run.errors.contains("in use by a running server"), run.errors)
        XCTAssertTrue(run.errors.contains("--admin"), run.errors)
    }

    func testTheAdminURLMayComeFromTheEnvironment() throws {
        let server = try ScriptedServer([.noDatabases])
        let run = CommandRun(["db", "list"], environment: ["TIDEMARK_ADMIN": server.url])
        XCTAssertEqual(run.exitCode, 0)
        XCTAssertEqual(run.output, "NAME  BYTES  REVISION\n")
        _ = server.finish()
    }
}
